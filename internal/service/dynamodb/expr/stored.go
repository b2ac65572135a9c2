package expr

import "millrace/internal/service/dynamodb/value"

// Stored is a stored item as a [Source]: only attributes that an expression names are decoded, each time it does. Values
// alias the stored bytes. It is for one goroutine.
type Stored struct {
	view value.View
	err  error
}

// NewStored reads from a view of an item.
func NewStored(view value.View) *Stored { return &Stored{view: view} }

// Get is the attribute with that name. One that cannot be decoded is as if it were missing, and Err says so.
func (s *Stored) Get(name string) (value.Value, bool) {
	raw, ok := s.view.Get(name)
	if !ok {
		return value.Value{}, false
	}
	v, err := raw.Value()
	if err != nil {
		s.err = err
		return value.Value{}, false
	}
	return v, true
}

// Err is [value.ErrCorrupt] when an attribute could not be decoded: then nothing that was read counts.
func (s *Stored) Err() error { return s.err }
