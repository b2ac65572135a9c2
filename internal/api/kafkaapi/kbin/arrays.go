package kbin

import "unsafe"

// number is what plain arrays are made of.
type number interface {
	~int8 | ~int16 | ~int32 | ~int64
}

// Numbers reads an array of numbers, each with read; nil when it is null. ok says whether null is allowed.
func Numbers[T number](r *Reader, ok bool, read func(*Reader) T) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	return array(r, ok, size, size, read)
}

// Strings reads an array of strings, nil when it is null. The strings alias the input.
func Strings(r *Reader, ok bool) []string {
	least := 2
	if r.flexible {
		least = 1
	}
	return array(r, ok, least, int(unsafe.Sizeof("")), (*Reader).String)
}

// UUIDs reads an array of identifiers, nil when it is null.
func UUIDs(r *Reader, ok bool) []UUID {
	return array(r, ok, 16, 16, (*Reader).UUID)
}

func array[T any](r *Reader, ok bool, least, size int, read func(*Reader) T) []T {
	n := r.Count(least, size, ok)
	if n < 0 || r.err != nil {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		list[i] = read(r)
	}
	return list
}

// Array reads an array of structs, each with read at the version; nil when it is null. least: the smallest
// size of an element on the wire. ok says whether null is allowed. After an error the array may be cut short.
func Array[T any](r *Reader, ok bool, least int, version int16, read func(*T, *Reader, int16)) []T {
	var zero T
	n := r.Count(least, int(unsafe.Sizeof(zero)), ok)
	if n < 0 || r.err != nil {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		if read(&list[i], r, version); r.err != nil {
			return list[:i]
		}
	}
	return list
}

// Struct reads a struct that may be null with read at the version; nil when it is null. ok says whether
// null is allowed.
func Struct[T any](r *Reader, ok bool, version int16, read func(*T, *Reader, int16)) *T {
	var zero T
	if !r.Present(ok, int(unsafe.Sizeof(zero))) {
		return nil
	}
	v := new(T)
	read(v, r, version)
	return v
}

// PutNumbers writes an array of numbers, null when list is nil and ok.
func PutNumbers[T number](w *Writer, list []T, ok bool, write func(*Writer, T)) {
	w.Count(len(list), list == nil && ok)
	for _, v := range list {
		write(w, v)
	}
}

// PutStrings writes an array of strings, null when list is nil and ok.
func PutStrings(w *Writer, list []string, ok bool) {
	w.Count(len(list), list == nil && ok)
	for _, v := range list {
		w.String(v)
	}
}

// PutUUIDs writes an array of identifiers, null when list is nil and ok.
func PutUUIDs(w *Writer, list []UUID, ok bool) {
	w.Count(len(list), list == nil && ok)
	for _, v := range list {
		w.UUID(v)
	}
}

// PutArray writes an array of structs, each with write at the version; null when list is nil and ok.
func PutArray[T any](w *Writer, list []T, ok bool, version int16, write func(*T, *Writer, int16)) {
	w.Count(len(list), list == nil && ok)
	for i := range list {
		write(&list[i], w, version)
	}
}

// PutStruct writes a struct with write at the version, or null. A nil struct is written as null also where
// the version does not allow it.
func PutStruct[T any](w *Writer, v *T, version int16, write func(*T, *Writer, int16)) {
	w.Present(v != nil)
	if v != nil {
		write(v, w, version)
	}
}
