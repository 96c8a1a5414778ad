// Package resource holds the common model of every cloud: the kinds of
// resources with their fields, states and actions, the catalog types, the
// envelope that all of them share, and the one set of error codes.
//
// It does no I/O. Adding a kind means adding one file here and one file in each
// driver that offers it; the server, the API, the CLI and the documents are
// driven by the descriptors that [Kinds] and [Catalogs] return.
package resource
