package main

// survivors are conditions that decide no verdict, layer or exit code of a planted run, by why.
var survivors = map[string][]string{
	"the sum of the line finds it as well": {
		`internal/journal/chain.go Unseal never: len(bytes.TrimSpace(line[dec.InputOffset():])) > 0`,
		`internal/journal/chain.go Unseal never: !ok`,
	},
	"productBlocks is true of every answer that is not BLOCKED": {
		`reports/coverage.go answers never: r.Verdict != matrix.Blocked`,
		`reports/gate.go sift always: r.Verdict == matrix.Blocked`,
	},
	"nothing but a FAIL is ever waived or quarantined": {
		`reports/gate.go sift always: r.Verdict == matrix.Fail`,
		`reports/gate.go sift always: r.Verdict == matrix.Fail'`,
	},
	"only words, or how a reason is told": {
		`reports/gate.go sift always: r.Verdict != matrix.Pass`,
		`reports/gate.go sift always: r.Verdict != matrix.Unsupported`,
		`reports/gate.go sift always: len(g.holding) > 0`,
		`reports/gate.go sift always: n > 0`,
		`reports/gate.go retries never: n == 0`,
		`reports/known/issue.go Explain never: len(by) == 0`,
		`reports/flakes.go Quarantine never: r.Verdict != matrix.Fail`,
		`reports/flakes.go Quarantine never: r.AskedIn != ""`,
		`reports/rebase.go move never: before == holds`,
		`reports/rules.go apply never: len(by) > 0`,
		`reports/rules.go apply always: r.Verdict == matrix.Fail`,
		`reports/rules.go apply never: r.Verdict == matrix.Fail && len(live) > 0`,
		`reports/rules.go apply always: r.Verdict == matrix.Fail'`,
		`reports/rules.go apply always: len(expired) > 0`,
		`reports/rules.go apply never: r.Verdict == matrix.Fail && len(expired) > 0`,
	},
	"about checks that compare versions: reports/known tests it": {
		`reports/known/issue.go Applies always: i.From.holds(s, s.From)`,
		`reports/known/where.go holds never: cell == nil`,
	},
	"a plan that ran has packages": {
		`reports/known/where.go holds never: version == ""`,
	},
	"another rule says the same": {
		`reports/policy.go blocks never: v == matrix.Fail`,
		`reports/rebase.go brokenBefore never: m.Change == nil`,
	},
	"a result that is held against itself has not moved": {
		`reports/rebase.go move never: once && now == holds`,
		`reports/rebase.go move never: once && now == broken`,
	},
	"what is an answer has a record": {
		`reports/rebase.go apart never: was == nil`,
		`reports/rebase.go apart never: is == nil`,
		`reports/rebase.go apart never: was == nil || is == nil`,
	},
	"a cell and its baseline have one tier: reports tests it": {
		`reports/rebase.go apart never: was.Tier != is.Tier`,
	},
	"a failure of a candidate has always moved": {
		`reports/rebase.go brokenBefore always: moved != nil`,
	},
	"what fails or is blocked holds anyway": {
		`reports/stalls.go trials never: r.Verdict == matrix.Fail`,
		`reports/stalls.go trials never: r.Verdict == matrix.Blocked`,
	},
	"answers of the cache that cells share: reports tests it": {
		`reports/stalls.go trials never: c != nil`,
		`reports/stalls.go trials never: kept[c.Key]`,
	},
	"chance explains so few stalls in runs this small": {
		`reports/stalls.go worst always: s.Stalls >= minStalls`,
	},
	"which of two versions is told first": {
		`reports/stalls.go worst never: s.chance < worst.chance`,
		`reports/stalls.go worst always: (worst == nil || s.chance < worst.chance)`,
	},
}
