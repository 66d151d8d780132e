package fault

// Lost is a value that no memory or register holds any more: a variable that the
// compiler or the running code did away with.
type Lost struct{ Why string }

func (e *Lost) Error() string { return "lost: " + e.Why }
