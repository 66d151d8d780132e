package output

import (
	"reflect"
	"unsafe"
)

// kindOf is what kind of datum a getter makes, for the documentation: it asks
// it for that of an empty row, then for that of one whose pointers lead to empty
// structures. A getter that needs more than that leaves the kind open.
func kindOf[R any](get func(*R) Value) string {
	if kind := kindFrom(get, new(R)); kind != "" {
		return kind
	}
	row := new(R)
	connect(reflect.ValueOf(row).Elem(), 0)
	return kindFrom(get, row)
}

func kindFrom[R any](get func(*R) Value, row *R) (kind string) {
	defer func() { _ = recover() }()
	switch v := get(row); {
	case v.kind == KindNull && v.num != 0:
		return Kind(v.num).String()
	case v.kind == KindNull, v.kind == KindFault:
		return "" // not what the datum is, but that there is none
	default:
		return v.kind.String()
	}
}

// maxConnected bounds how deep connect goes: structures may lead to their own kind.
const maxConnected = 3

// connect makes the pointers of a structure lead to empty structures. Rows keep
// what they show in fields of their own, which reflection alone does not set.
func connect(v reflect.Value, depth int) {
	if v.Kind() != reflect.Struct || depth > maxConnected {
		return
	}
	for i := range v.NumField() {
		field := v.Field(i)
		field = reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
		if t := field.Type(); t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
			field.Set(reflect.New(t.Elem()))
			connect(field.Elem(), depth+1)
		}
		connect(field, depth)
	}
}
