package spider

// OnlyOthers refuses addresses of this machine.
var OnlyOthers = onlyOthers
