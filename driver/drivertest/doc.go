// Package drivertest is the conformance suite that every driver runs, of this
// project or not.
//
// A [Target] says how to start the driver, how to connect and which images and
// machine types to use. What the driver offers, the suite finds out by itself, and
// checks for every kind, verb, action, view, catalog and extension that the rules of
// docs/writing-a-driver.md are kept: on a good day, with bad input, and with a cloud
// in trouble. [Run] does so as a Go test, [Conform] anywhere else.
//
// A check has a path, kind/verb/check, such as vm/create/same-token. What a cloud or
// an emulator of it cannot satisfy stands in a file of deviations, by that path and
// with a reason.
package drivertest
