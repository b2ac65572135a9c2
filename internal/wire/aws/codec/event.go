package codec

import (
	"fmt"
	"reflect"

	"millrace/internal/api"
)

// Event takes an event of a stream apart: shape is a structure with one member for each type of event, of
// which event, a pointer to it, has set exactly one. It gives that member's name, its shape, and its value for
// AppendJSON and AppendCBOR. It panics when none is set.
func Event(shape *api.Shape, event any) (name string, of *api.Shape, value any) {
	val := reflect.ValueOf(event).Elem()
	for i := range shape.Members {
		m := &shape.Members[i]
		if field := val.Field(m.Index); !field.IsNil() {
			return m.Name, m.Shape, field.Interface()
		}
	}
	panic(fmt.Sprintf("codec: an event of %s has no member", shape.Name))
}
