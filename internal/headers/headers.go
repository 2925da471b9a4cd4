//go:build !libvirt_dlopen

package headers

/*
#if !__has_include(<libvirt/libvirt.h>)
#error "libvirt's headers are missing: run ci/setup (or apt-get install libvirt-dev pkg-config), or give ginkgo --tags libvirt_dlopen"
#endif
*/
import "C"
