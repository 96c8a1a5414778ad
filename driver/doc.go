// Package driver is what the author of a driver imports: the definition of a
// driver, the interfaces that it implements, and Serve.
//
// A driver is one value made by [New]: what it is, how it connects, and one
// collection for each kind of resource and each catalog that it offers. What a
// collection can do is found from the interfaces that it implements; nothing is
// declared twice. docs/writing-a-driver.md shows a whole driver.
package driver
