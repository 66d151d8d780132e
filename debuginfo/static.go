package debuginfo

import "fmt"

// Path of the object.
func (in *Info) Path() string { return in.path }

// ReadStatic returns up to n bytes of the object's own image at a link-time
// address, fewer where its section ends. It is an error if no section with
// contents is loaded there.
func (in *Info) ReadStatic(addr uint64, n int) ([]byte, error) {
	for size := n; size > 0; size /= 2 {
		data, err := in.file.DataAt(addr, uint64(size))
		if err != nil && in.dbg != in.file {
			data, err = in.dbg.DataAt(addr, uint64(size))
		}
		if err != nil {
			continue
		}
		var out []byte
		err = guard(func() error { out = append(out, data...); return nil })
		return out, err
	}
	return nil, fmt.Errorf("%s: no section has contents at address %#x", in.path, addr)
}
