// Package families registers all checks: who imports it has them.
package families

import (
	_ "github.com/virtmatrix/virtmatrix/suites/inbound/kernel"
	_ "github.com/virtmatrix/virtmatrix/suites/inbound/qemu"
	_ "github.com/virtmatrix/virtmatrix/suites/inbound/xen"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/connection"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/devices"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/events"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/guest"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/host"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/lifecycle"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/migration"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/network"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/save"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/storage"
	_ "github.com/virtmatrix/virtmatrix/suites/outbound/tools"
	_ "github.com/virtmatrix/virtmatrix/suites/static/xml"
)
