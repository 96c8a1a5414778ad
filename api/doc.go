// Package api holds the documents of the server's own API: what it is asked for and what it
// answers beside the resources themselves. They are types without I/O; drivers know none of
// them. Resources, kinds and errors are in package resource.
package api
