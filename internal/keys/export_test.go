package keys

// LookOften has a server look so often that a test need not wait for it.
func (k *Keeper) LookOften() { k.every = lookEvery / 100 }
