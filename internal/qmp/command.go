package qmp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Error is QEMU's refusal of a command.
type Error struct {
	// Class is machine-readable: "CommandNotFound", "DeviceNotFound",
	// "GenericError".
	Class string `json:"class"`
	// Desc is meant for people and changes between releases.
	Desc string `json:"desc"`
}

// Error returns "DESC (CLASS)".
func (e *Error) Error() string { return fmt.Sprintf("%s (%s)", e.Desc, e.Class) }

// Do runs a command and decodes what it returned into reply, a pointer; nil
// discards it. args become the command's arguments unless nil. A refusal by
// QEMU is an *Error in the error's chain. When ctx ends first, the command may
// still take effect: QMP has no way to call one back.
func (c *Conn) Do(ctx context.Context, command string, args, reply any) error {
	fields := map[string]any{"execute": command}
	if args != nil {
		fields["arguments"] = args
	}
	raw, err := c.exchange(ctx, fields)
	if err == nil && reply != nil {
		err = json.Unmarshal(raw, &struct {
			Return any `json:"return"`
		}{reply})
	}
	if err != nil {
		return fmt.Errorf("cannot run QMP command %s: %w", command, err)
	}
	return nil
}

// Run implements go-qemu's Monitor: it sends a whole command object and returns
// the whole reply, which the caller owns. It waits for Options.RunTimeout.
func (c *Conn) Run(command []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.opts.RunTimeout)
	defer cancel()
	fields, name, err := parseCommand(command)
	if err != nil {
		return nil, fmt.Errorf("cannot run QMP command %s: %w", excerpt(command), err)
	}
	raw, err := c.exchange(ctx, fields)
	if err != nil {
		return nil, fmt.Errorf("cannot run QMP command %s: %w", name, err)
	}
	return raw, nil
}

// parseCommand refuses what QEMU could only answer without an id.
func parseCommand(command []byte) (fields map[string]any, name string, err error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(command, &object); err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal(object["execute"], &name); err != nil || name == "" {
		return nil, "", errors.New(`it needs a string "execute"`)
	}
	fields = make(map[string]any, len(object)+1)
	for k, v := range object {
		if k != "execute" && k != "arguments" {
			return nil, "", fmt.Errorf(`it has the key %+q, only "execute" and "arguments" are allowed (ids are given here)`, k)
		}
		fields[k] = v
	}
	return fields, name, nil
}

// exchange sends a command under a new id and waits for the reply of that id.
func (c *Conn) exchange(ctx context.Context, fields map[string]any) ([]byte, error) {
	id, waiter := c.register()
	defer c.unregister(id)
	fields["id"] = id
	line, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	select {
	case c.out <- line:
	case <-c.done:
		return nil, c.reason()
	case <-ctx.Done():
		return nil, fmt.Errorf("QEMU does not read its QMP socket: %w", ctx.Err())
	}
	select {
	case m := <-waiter:
		return m.result()
	case <-c.done:
		return c.lastWord(waiter, c.reason())
	case <-ctx.Done():
		return c.lastWord(waiter, fmt.Errorf("no reply from QEMU: %w", ctx.Err()))
	}
}

// lastWord prefers a reply that arrived at the same moment as the end: QEMU
// answers "quit" and closes the connection at once.
func (c *Conn) lastWord(waiter <-chan message, end error) ([]byte, error) {
	select {
	case m := <-waiter:
		return m.result()
	default:
		return nil, end
	}
}

func (m message) result() ([]byte, error) {
	if m.Error != nil {
		return nil, m.Error
	}
	return m.raw, nil
}

// register returns a new id and the channel its reply will come on. Ids are
// strings because go-qemu decodes replies into structs with a string id.
func (c *Conn) register() (string, <-chan message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	id := strconv.FormatUint(c.lastID, 10)
	waiter := make(chan message, 1)
	c.pending[id] = waiter
	return id, waiter
}

func (c *Conn) unregister(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

// issued says whether an id was ever ours. The caller holds c.mu.
func (c *Conn) issued(id string) bool {
	n, err := strconv.ParseUint(id, 10, 64)
	return err == nil && n >= 1 && n <= c.lastID
}
