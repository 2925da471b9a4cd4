package steps

import (
	"encoding/binary"
	"encoding/hex"
)

// The commands of a TPM that checks give (tables of commands in part 3 of the TPM 2.0 library),
// and how they begin: with one session, which is an empty password, or with none.
const (
	tpmDefine  = 0x12a // TPM2_NV_DefineSpace
	tpmWrite   = 0x137 // TPM2_NV_Write
	tpmRead    = 0x14e // TPM2_NV_Read
	tpmPCRRead = 0x17e // TPM2_PCR_Read
	tpmClock   = 0x181 // TPM2_ReadClock
	tpmExtend  = 0x182 // TPM2_PCR_Extend

	tpmNoSession, tpmSession = 0x8001, 0x8002
)

const (
	// tpmOwner is who may define lasting memory (TPM_RH_OWNER), tpmIndex the place of ours
	// there: the first of those that nobody has reserved.
	tpmOwner, tpmIndex = 0x40000001, 0x01800000
	// tpmAttributes let the owner, and who knows its password, write and read it.
	tpmAttributes = 0x00060006
	tpmSHA256     = 0x000b
	// tpmRegister is the register of measurements for debugging, which anybody may extend.
	tpmRegister = 16
)

// tpmPassword is the area of a session with an empty password (TPMS_AUTH_COMMAND).
var tpmPassword = []any{uint32(9), uint32(0x40000009), uint16(0), uint8(0), uint16(0)}

// TPMState is the folder where libvirt keeps what the domain's TPM remembers.
func (d *Domain) TPMState() string { return "/var/lib/libvirt/swtpm/" + d.UUID() }

// command gives the guest's TPM a command that must succeed and returns the answer past its header.
func (g *Guest) command(tag uint16, code uint32, parts ...any) []byte {
	var body []byte
	for _, p := range parts {
		body, _ = binary.Append(body, binary.BigEndian, p)
	}
	question, _ := binary.Append(nil, binary.BigEndian, tag)
	question, _ = binary.Append(question, binary.BigEndian, uint32(len(body)+10))
	question, _ = binary.Append(question, binary.BigEndian, code)
	answer := g.TPM(append(question, body...))
	if len(answer) < 10 || binary.BigEndian.Uint32(answer[6:]) != 0 {
		g.t.Fail(g.t.Layer, "the TPM refuses command %x: its answer is %x", code, answer)
	}
	return answer[10:]
}

// authorized is command for what takes handles and a password.
func (g *Guest) authorized(code uint32, handles []any, parts ...any) []byte {
	return g.command(tpmSession, code, append(append(handles, tpmPassword...), parts...)...)
}

// TPMStarts asks the guest's TPM how often it was reset, and since then started again, as one
// number that grows with each; and for its clock in ms (TPMS_TIME_INFO in part 2). swtpm since
// 0.8 shuts a TPM down that is cut off, which makes the next start no reset.
func (g *Guest) TPMStarts() (count, clock uint64) {
	answer := g.command(tpmNoSession, tpmClock)
	if len(answer) < 24 {
		g.t.Fail(g.t.Layer, "the TPM says too little of its clock: %x", answer)
	}
	return binary.BigEndian.Uint64(answer[16:]), binary.BigEndian.Uint64(answer[8:])
}

// MeasureTPM extends a register of the guest's TPM, which it keeps until its next start.
func (g *Guest) MeasureTPM() {
	var digest [32]byte
	copy(digest[:], g.Token)
	g.authorized(tpmExtend, []any{uint32(tpmRegister)}, uint32(1), uint16(tpmSHA256), digest)
}

// TPMMeasured is what that register holds, in hex.
func (g *Guest) TPMMeasured() string {
	selected := [3]byte{tpmRegister / 8: 1 << (tpmRegister % 8)}
	answer := g.command(tpmNoSession, tpmPCRRead, uint32(1), uint16(tpmSHA256), uint8(len(selected)), selected)
	return hex.EncodeToString(answer[max(len(answer)-32, 0):])
}

// StoreInTPM has the guest's TPM remember a word beyond its next start.
func (g *Guest) StoreInTPM(word string) {
	index, bytes := uint32(tpmIndex), []byte(word)
	public := []any{uint16(14), index, uint16(tpmSHA256), uint32(tpmAttributes), uint16(0), uint16(len(word))}
	g.authorized(tpmDefine, []any{uint32(tpmOwner)}, append([]any{uint16(0)}, public...)...)
	g.authorized(tpmWrite, []any{uint32(tpmOwner), index}, uint16(len(word)), bytes, uint16(0))
}

// StoredInTPM reads n bytes of that word.
func (g *Guest) StoredInTPM(n int) string {
	answer := g.authorized(tpmRead, []any{uint32(tpmOwner), uint32(tpmIndex)}, uint16(n), uint16(0))
	if len(answer) < 6+n {
		g.t.Fail(g.t.Layer, "the TPM says too little of its memory: %x", answer)
	}
	return string(answer[6 : 6+n])
}
