// Package imageboot boots images that nobody trusts: in an emulator, from an overlay, without
// a network that leads anywhere, and with a seed that has them report.
package imageboot

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/imagecheck"
	"github.com/virtmatrix/virtmatrix/internal/nocloud"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Options say what boots, and how.
type Options struct {
	// Image is the file, Format what it was found to be: the emulator does not guess.
	Image, Format string
	// Bytes is the size of its disk.
	Bytes    int64
	Emulator host.Emulator
	// Accel is what accelerates it, Scale multiplies time limits.
	Accel string
	Scale float64
	// Scratch is the folder for the overlay.
	Scratch string
	// Tell is told how the boot goes.
	Tell func(string)
}

// The limits at scale 1: how long a machine may say nothing; how long it may ask for a login
// and have done nothing of its seed, because cloud-init's first stages are before that; how
// long all may take, and how long after its report an agent may take to answer.
const (
	quietLimit = 4 * time.Minute
	loginLimit = time.Minute
	wholeLimit = 30 * time.Minute
	agentLimit = 30 * time.Second
)

// mostSaid is what a boot may print: a serial port at its usual speed takes three minutes for
// as much, and a verbose boot is a tenth of it.
const mostSaid = 2 << 20

// mostWritten is what a boot may write: its disk may be larger than ours.
const mostWritten = 8 << 30

// more is what the disk has more than its image.
const more = 2 << 30

// machine is one that boots.
type machine struct {
	Options
	folder  *owner.Folder
	process *owner.Process
	serial  console.Log
	seed    nocloud.Seed
	// login is when the machine was last seen not to ask for a login yet.
	login time.Time
}

// Run boots the image, and tells what was seen. An error is ours: the image is not judged.
func Run(ctx context.Context, o Options) (_ *imagecheck.Booted, err error) {
	m := &machine{Options: o}
	if m.folder, err = owner.NewFolder(o.Scratch, "image-"); err != nil {
		return nil, fmt.Errorf("cannot boot image: %w", err)
	}
	defer func() { err = errors.Join(err, m.folder.Remove()) }()
	m.serial = console.Log{Path: m.path("serial")}
	if err := m.start(ctx); err != nil {
		return nil, fmt.Errorf("cannot boot image: %w", err)
	}
	defer m.process.Kill()
	b := &imagecheck.Booted{Bytes: o.Bytes + more, Key: m.seed.Key}
	if err := m.watch(ctx, b); err != nil {
		return nil, fmt.Errorf("cannot boot image: %w", err)
	}
	if b.Whole && len(b.Lines("agent")) > 0 {
		b.Agent = m.askAgent(ctx)
	}
	return b, nil
}

func (m *machine) path(name string) string { return filepath.Join(m.folder.Path, name) }

// makeSeed describes a seed whose key is nobody's elsewhere.
func makeSeed() (s nocloud.Seed, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return s, err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return s, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return s, err
	}
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	id := hex.EncodeToString(nonce)
	return nocloud.Seed{
		Nonce: id, Instance: "virtmatrix-" + id, Hostname: "virtmatrix", Key: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
		Login: string(pem.EncodeToMemory(block)), Stays: true,
	}, nil
}

// start starts the emulator. The image has a name of our own, because the emulator takes some
// names for more than a file's; it is opened read-only, as the format that was found, and
// what the guest writes goes to an overlay.
func (m *machine) start(ctx context.Context) (err error) {
	if m.seed, err = makeSeed(); err != nil {
		return err
	}
	whole, err := filepath.Abs(m.Image)
	if err == nil {
		err = os.Symlink(whole, m.path("image"))
	}
	if err == nil {
		err = nocloud.Write(m.path("seed"), nocloud.ISO9660, m.seed.Files())
	}
	if err != nil {
		return err
	}
	if err := m.overlay(ctx); err != nil {
		return err
	}
	log, err := os.Create(m.path("emulator"))
	if err != nil {
		return err
	}
	defer log.Close()
	m.process, err = owner.Start(owner.Options{Usr: m.Emulator.Usr, Output: log, Dir: m.folder.Path, Argv: m.command()})
	return err
}

// overlay makes an empty qcow2, which names no file: what is below it the emulator is told.
func (m *machine) overlay(ctx context.Context) error {
	log, err := os.Create(m.path("img"))
	if err != nil {
		return err
	}
	defer log.Close()
	p, err := owner.Start(owner.Options{Usr: m.Emulator.Usr, Output: log, Argv: []string{
		filepath.Join(filepath.Dir(m.Emulator.Program), "qemu-img"), "create", "-q", "-f", "qcow2", m.path("overlay"), fmt.Sprint(m.Bytes + more),
	}})
	if err != nil {
		return err
	}
	defer p.Kill()
	select {
	case <-p.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("cannot make overlay: %w: %s", err, console.Log{Path: m.path("img")}.Tail(3))
	}
	return nil
}

func (m *machine) command() []string {
	cpu := "max"
	if m.Accel == "tcg" {
		cpu = m.Emulator.CPU[matrix.KVM]
	}
	return []string{
		m.Emulator.Program, "-nodefaults", "-no-user-config", "-machine", m.Emulator.Machine + ",accel=" + m.Accel, "-cpu", cpu, "-m", "1024", "-display", "none",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-serial", "file:serial",
		"-blockdev", "driver=file,filename=image,node-name=image-file,read-only=on,locking=off",
		"-blockdev", "driver=" + m.Format + ",file=image-file,node-name=image,read-only=on",
		"-blockdev", "driver=file,filename=overlay,node-name=overlay-file",
		"-blockdev", "driver=qcow2,file=overlay-file,backing=image,node-name=disk",
		"-blockdev", "driver=file,filename=seed,node-name=seed-file,read-only=on",
		"-blockdev", "driver=raw,file=seed-file,node-name=seed,read-only=on",
		"-device", "virtio-blk-pci,drive=disk,bootindex=1", "-device", "virtio-blk-pci,drive=seed",
		// It answers DHCP, so that nobody waits for a network, and leads nowhere.
		"-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net,romfile=",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=agent,path=agent,server=on,wait=off", "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
	}
}

// watchPoll is how often the machine is looked at.
const watchPoll = 500 * time.Millisecond

// watch waits for the report, as long as the machine goes on.
func (m *machine) watch(ctx context.Context, b *imagecheck.Booted) error {
	began := time.Now()
	spoke, size, told := began, int64(0), time.Now()
	for {
		text, err := m.serial.Since(0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		b.Report = nocloud.Read(text, m.seed.Nonce)
		b.Console = string(text[max(0, len(text)-1<<20):])
		if now := m.serial.Size(); now > size {
			size, spoke = now, time.Now()
		}
		if b.Whole {
			return nil
		}
		if !b.AtLogin() {
			m.login = time.Now()
		}
		if b.Ended = m.ended(b, size, began, spoke); b.Ended != "" {
			if said := console.Tail(text, 3); said != "" {
				b.Ended += fmt.Sprintf("; it said last: %.300s", said)
			}
			return nil
		}
		if time.Since(told) > 20*time.Second {
			told = time.Now()
			m.Tell(fmt.Sprintf("%s: %.120s", time.Since(began).Round(time.Second), console.Tail(text, 1)))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(watchPoll):
		}
	}
}

// ended says why the machine is not waited for any more.
func (m *machine) ended(b *imagecheck.Booted, size int64, began, spoke time.Time) string {
	limit := func(d time.Duration) time.Duration { return time.Duration(float64(d) * m.Scale) }
	select {
	case <-m.process.Done():
		why := "the machine ended before it had reported"
		if err := m.process.Err(); err != nil {
			why = fmt.Sprintf("the emulator ended: %v: %s", err, console.Log{Path: m.path("emulator")}.Tail(3))
		}
		return why
	default:
	}
	_, source, over := nocloud.Finished([]byte(b.Console))
	switch {
	case size > mostSaid:
		return fmt.Sprintf("the machine printed more than %d bytes: it is given up", mostSaid)
	case console.Log{Path: m.path("overlay")}.Size() > mostWritten:
		return fmt.Sprintf("the machine wrote more than %d bytes to its disk: it is given up", int64(mostWritten))
	case strings.Contains(b.Console, "Kernel panic - not syncing"):
		return "its kernel panicked"
	case over && !b.Begun:
		return "cloud-init is through, with " + source + ", and did nothing of what the seed says"
	case b.AtLogin() && time.Since(m.login) > limit(loginLimit):
		return "the machine asks for a login, and did nothing of what the seed says"
	case time.Since(spoke) > limit(quietLimit):
		return fmt.Sprintf("the machine said nothing for %s, and did not report", limit(quietLimit))
	case time.Since(began) > limit(wholeLimit):
		return fmt.Sprintf("the machine did not report within %s", limit(wholeLimit))
	}
	return ""
}
