package driver

// Whose says whose something on a cloud is that has to do with an object.
type Whose string

// Own and Part may be changed or deleted with the object, a Stranger never: neither its
// name nor what it looks like makes it another one.
const (
	Own      Whose = "own"      // it was made for the object, and says so
	Part     Whose = "part"     // the object names it as its part, and it does not say what it was made for
	Stranger Whose = "stranger" // everything else
)

// WhoseIs says whose something is. of is what the object marks as its own with: its token,
// or its id; "" if the object was made by others, whose parts cannot be told. mark is what
// is on the thing, "" for nothing, and named whether the object itself names that.
func WhoseIs(mark, of string, named bool) Whose {
	switch {
	case of == "":
		return Stranger
	case mark == of:
		return Own
	case mark == "" && named:
		return Part
	}
	return Stranger
}
