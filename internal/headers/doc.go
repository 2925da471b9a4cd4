// Package headers fails to build, in words, where libvirt's headers are needed
// and missing. The bindings alone would only quote pkg-config.
package headers
