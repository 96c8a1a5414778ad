package spider

// OnlyOthers refuses addresses of this machine.
func OnlyOthers(address string) error { return onlyOthers(address) }
