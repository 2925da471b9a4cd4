package matrix

// Hosts describes the hosts that a check works on. The zero value is one host as
// all cells have it. Checks whose hosts are described alike may share them.
type Hosts struct {
	// Count is how many hosts there are; 0 is one. Several are reserved together,
	// have identities of their own and reach each other.
	Count int `json:"count,omitempty"`
	// CPUs and MemoryMB are the size of each; 0 is the usual one.
	CPUs     int `json:"cpus,omitempty"`
	MemoryMB int `json:"memory_mb,omitempty"`
	// Cold hosts boot: no saved state stands in for what a boot does.
	Cold bool `json:"cold,omitempty"`
	// Network lets a host make networks of its own, where its tier does not anyway.
	Network bool `json:"network,omitempty"`
	// Earlier are the components of which the second host has the version before the
	// cell's: its stack is the one that a rebase of them starts from. Such a check
	// depends on everything, of both stacks.
	Earlier []Component `json:"earlier,omitempty"`
	// Peer is the cell of the plan whose stack that is. The planner finds it.
	Peer string `json:"peer,omitempty"`
}
