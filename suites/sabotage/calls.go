package sabotage

import "libvirt.org/go/libvirt"

// Swallow has a call of the libvirt API answered with success, and never made. Calls
// are named as in libvirt's reference ("virDomainReset").
func Swallow(api string) *Control { return nil }

// Refuse has a call refused with an error.
func Refuse(api string, code libvirt.ErrorNumber) *Control { return nil }

// Hang has a call never answered.
func Hang(api string) *Control { return nil }

// ChangeCode gives the refusals of a call another number.
func ChangeCode(api string, code libvirt.ErrorNumber) *Control { return nil }

// Alter replaces a text in the answers of a call.
func Alter(api, old, new string) *Control { return nil }

// DropEvent loses a life-cycle event on its way.
func DropEvent(event libvirt.DomainEventType) *Control { return nil }
