package xml

import (
	"github.com/virtmatrix/virtmatrix/fixtures/corpus"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// object is what libvirt made of a document.
type object struct {
	dump   func() (string, error)
	remove func() error
}

// kind is how documents of a kind are given to libvirt.
type kind struct {
	// validates is the first libvirt that compares a document with its own schema when
	// it is told to.
	validates string
	// definer returns what gives libvirt a document.
	definer func(t *steps.T) definer
	// images says that qemu-img makes what a document says.
	images bool
	// understood are refusals of a document that was read and is about what is not there.
	understood []libvirt.ErrorNumber
}

type definer func(xml string, validate bool) (object, error)

var kinds = map[string]kind{
	corpus.Domain: {validates: "1.2.12", definer: domains},
	"network":     {validates: "7.8", definer: networks},
	"nodedev":     {validates: "8.10", definer: nodeDevices, understood: []libvirt.ErrorNumber{libvirt.ERR_NO_NODE_DEVICE, libvirt.ERR_CONFIG_UNSUPPORTED, libvirt.ERR_INTERNAL_ERROR}},
	"nwfilter":    {validates: "7.8", definer: filters},
	"pool":        {validates: "7.8", definer: pools},
	"secret":      {validates: "7.8", definer: secrets},
	"volume":      {validates: "8.10", definer: volumes, images: true},
}

// when is a flag, or none.
func when[F ~uint32 | ~uint | ~int](set bool, flag F) F {
	if set {
		return flag
	}
	return 0
}

func domains(t *steps.T) definer {
	conn := t.Connection().Raw
	return func(xml string, validate bool) (object, error) {
		d, err := conn.DomainDefineXMLFlags(xml, when(validate, libvirt.DOMAIN_DEFINE_VALIDATE))
		return object{
			func() (string, error) { return d.GetXMLDesc(libvirt.DOMAIN_XML_INACTIVE | libvirt.DOMAIN_XML_SECURE) },
			func() error { defer d.Free(); return d.UndefineFlags(libvirt.DOMAIN_UNDEFINE_NVRAM) },
		}, err
	}
}

func networks(t *steps.T) definer {
	conn := t.Connection().Raw
	return func(xml string, validate bool) (object, error) {
		define := conn.NetworkDefineXML
		if validate { // the call with flags is no older
			define = func(xml string) (*libvirt.Network, error) {
				return conn.NetworkDefineXMLFlags(xml, libvirt.NETWORK_DEFINE_VALIDATE)
			}
		}
		n, err := define(xml)
		return object{
			func() (string, error) { return n.GetXMLDesc(libvirt.NETWORK_XML_INACTIVE) },
			func() error { defer n.Free(); return n.Undefine() },
		}, err
	}
}

func filters(t *steps.T) definer {
	conn := t.Connection().Raw
	return func(xml string, validate bool) (object, error) {
		define := conn.NWFilterDefineXML
		if validate { // the call with flags is no older
			define = func(xml string) (*libvirt.NWFilter, error) {
				return conn.NWFilterDefineXMLFlags(xml, libvirt.NWFILTER_DEFINE_VALIDATE)
			}
		}
		f, err := define(xml)
		return object{
			func() (string, error) { return f.GetXMLDesc(0) },
			func() error { defer f.Free(); return f.Undefine() },
		}, err
	}
}

func pools(t *steps.T) definer {
	conn := t.Connection().Raw
	return func(xml string, validate bool) (object, error) {
		p, err := conn.StoragePoolDefineXML(xml, when(validate, libvirt.STORAGE_POOL_DEFINE_VALIDATE))
		return object{
			func() (string, error) { return p.GetXMLDesc(libvirt.STORAGE_XML_INACTIVE) },
			func() error { defer p.Free(); return p.Undefine() },
		}, err
	}
}

func secrets(t *steps.T) definer {
	conn := t.Connection().Raw
	return func(xml string, validate bool) (object, error) {
		s, err := conn.SecretDefineXML(xml, when(validate, libvirt.SECRET_DEFINE_VALIDATE))
		return object{
			func() (string, error) { return s.GetXMLDesc(0) },
			func() error { defer s.Free(); return s.Undefine() },
		}, err
	}
}

// volumes are made in a pool of the check.
func volumes(t *steps.T) definer {
	pool := t.DefinePool()
	pool.Build()
	pool.Start()
	return func(xml string, validate bool) (object, error) {
		v, err := pool.Raw.StorageVolCreateXML(xml, when(validate, libvirt.STORAGE_VOL_CREATE_VALIDATE))
		return object{
			func() (string, error) { return v.GetXMLDesc(0) },
			func() error { defer v.Free(); return v.Delete(0) },
		}, err
	}
}

// nodeDevices have parents that no host of ours has.
func nodeDevices(t *steps.T) definer {
	conn := t.Connection().Raw
	return func(xml string, validate bool) (object, error) {
		d, err := conn.DeviceCreateXML(xml, when(validate, libvirt.NODE_DEVICE_CREATE_XML_VALIDATE))
		return object{
			func() (string, error) { return d.GetXMLDesc(0) },
			func() error { defer d.Free(); return d.Destroy() },
		}, err
	}
}

// defineSecret defines what encrypted images are opened with.
func (q *inquiry) defineSecret() {
	xml := "<secret ephemeral='no' private='no'><uuid>" + corpus.Secret + "</uuid></secret>"
	s := steps.Get(q.T, "define secret", func() (*libvirt.Secret, error) { return q.Connection().Raw.SecretDefineXML(xml, 0) })
	q.Cleanup(func() {
		q.Do("undefine secret", s.Undefine)
		_ = s.Free()
	})
	q.Do("set secret", func() error { return s.SetValue([]byte(corpus.Passphrase), 0) })
}
