package api

// Form says how a service holds values that its model leaves as JSON, so that a codec by hand makes one of the other without anything in
// between. A [JSON] of a call whose Form is true may be one:
//
//	body ── FormReader.Read ──► form, as the service stores it ── Append ──► answer
//
// The first byte of a form is below a tab, which that of JSON never is.
type Form struct {
	// NewReader makes a reader, for one codec at a time.
	NewReader func() FormReader
	// Size is about how many bytes of JSON a form becomes.
	Size func(form JSON) int
	// Append appends the JSON of a form.
	Append func(b []byte, form JSON) []byte
}

// FormReader reads forms. What it returns lives in the body or in its own memory, until Reset.
type FormReader interface {
	// Read reads the object that begins at body[at]; end is where it ends. ok is false for what is not JSON, and for all that the service
	// wants to see as it was sent, to say what is wrong with it.
	Read(body []byte, at int) (form JSON, end int, ok bool)
	// Reset lets go of the bodies and the forms.
	Reset()
}

// IsForm says that j is a form and not JSON.
func (j JSON) IsForm() bool { return len(j) > 0 && j[0] < '\t' }
