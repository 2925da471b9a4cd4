package xen

import (
	"context"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/xenstore"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

const storePath = "/test/virtmatrix"

var _ = check.Register("IX-STORE", check.Spec{
	Asserts:  "Xenstore reads back what was written, fires watches and commits transactions",
	Requires: []matrix.Requirement{matrix.XenStack},
	Depends:  check.On(matrix.Linux, matrix.XenHyp),
	Control:  sabotage.Filter("xenstore-ls", "a listing with another value", `s/"1"/"2"/`),
}, func(t *steps.T) {
	t.Expect(t.Sh("xenstore-write /test/tool 1 && xenstore-read /test/tool && xenstore-ls /test")).To(Equal("1\ntool = \"1\""))
	s := t.Xenstore()
	t.Cleanup(func() { s.Remove("/test") })

	s.Write(0, storePath, "before")
	t.Expect(s.Read(0, storePath)).To(Equal("before"))
	t.Expect(s.List("/test")).To(ContainElement("virtmatrix"))

	s.Watch(storePath, "mine")
	t.Expect(s.Fired()).To(Equal(xenstore.Event{Path: storePath, Token: "mine"}), "a watch fires once when it is set")
	s.Write(0, storePath, "after")
	t.Expect(s.Fired()).To(Equal(xenstore.Event{Path: storePath, Token: "mine"}), "a watch fires when its path changes")

	transactionsHold(t, s)
	s.Remove(storePath)
	t.Expect(s.Try("read what was removed", func(ctx context.Context, c *xenstore.Conn) error {
		_, err := c.Read(ctx, 0, storePath)
		return err
	})).To(MatchError(xenstore.ErrNoEntry))
})

// transactionsHold: what a transaction wrote shows only after its commit, an aborted
// one leaves nothing, and of two that touch one path one must go again.
func transactionsHold(t *steps.T, s *steps.Xenstore) {
	end := func(op string, tx xenstore.Tx, how func(*xenstore.Conn, context.Context, xenstore.Tx) error) error {
		return s.Try(op, func(ctx context.Context, c *xenstore.Conn) error { return how(c, ctx, tx) })
	}
	tx := s.Begin()
	s.Write(tx, storePath, "hidden")
	t.Expect(s.Read(0, storePath)).To(Equal("after"), "seen from outside an open transaction")
	t.Expect(end("commit", tx, (*xenstore.Conn).Commit)).To(Succeed())
	t.Expect(s.Read(0, storePath)).To(Equal("hidden"), "seen after the commit")

	tx = s.Begin()
	s.Write(tx, storePath, "dropped")
	t.Expect(end("abort", tx, (*xenstore.Conn).Abort)).To(Succeed())
	t.Expect(s.Read(0, storePath)).To(Equal("hidden"), "seen after an abort")

	tx = s.Begin()
	s.Read(tx, storePath)
	s.Write(tx, storePath, "loses")
	s.Write(0, storePath, "wins")
	t.Expect(end("commit", tx, (*xenstore.Conn).Commit)).To(MatchError(xenstore.ErrConflict), "the commit of a transaction that read what changed meanwhile")
	t.Expect(s.Read(0, storePath)).To(Equal("wins"))
}
