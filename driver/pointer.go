package driver

// SDKs point to most of what is in their requests and answers, since it may be left out.

// Optional points to a value, and to nothing if it is empty: it is left out then.
func Optional[A comparable](value A) *A {
	if value == *new(A) {
		return nil
	}
	return &value
}

// Value is what is pointed to, and empty if nothing is.
func Value[A any](p *A) A {
	if p == nil {
		return *new(A)
	}
	return *p
}
