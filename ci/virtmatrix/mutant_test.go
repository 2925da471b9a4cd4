package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// judges are the functions that hold the rules of the judge, by file from the root.
var judges = map[string][]string{
	"internal/journal/chain.go": {"Unseal", "read"},
	"reports/judge.go":          {"share", "stray", "judge"},
	"reports/coverage.go":       {"answers", "uncovered"},
	"reports/rules.go":          {"about", "apply", "waive", "rulings"},
	"reports/known/issue.go":    {"Applies", "Explain", "line", "Over", "Matches"},
	"reports/known/where.go":    {"holds"},
	"reports/rebase.go":         {"state", "move", "apart", "brokenBefore", "Code"},
	"reports/stalls.go":         {"trials", "worst"},
	"reports/signature.go":      {"SameFailure"},
	"reports/policy.go":         {"blocks", "parsePolicy"},
	"reports/flakes.go":         {"Flakes", "Quarantine", "check"},
	"reports/gate.go":           {"Gate", "unfit", "sift", "retries", "damage", "productBlocks"},
}

// leaveOut leaves a rule out. It is set where this test was compiled with a judge whose
// rules can be left out.
var leaveOut func(rule string)

// TestNoRuleOfTheJudgeCanBeLeftOut leaves each condition of the judge out, one at a time, and
// wants `virtmatrix selftest -gate` to see it. It compiles the judge anew for that, with a switch
// at each of its conditions.
func TestNoRuleOfTheJudgeCanBeLeftOut(t *testing.T) {
	rules := mutated(t)
	if leaveOut == nil {
		runMutants(t, rules)
		return
	}
	cat, runs := plantedRuns(t)
	// What is merged or stored is judged as other runs.
	runs = slices.DeleteFunc(runs, func(r plantedRun) bool { return r.site.slow })
	// seen returns the fault that is judged wrong, and has it tried first from then on.
	seen := func() (by string) {
		var r plantedRun
		defer func() {
			if recover() != nil { // it looked at what the rule had excluded
				by = r.name
			}
		}()
		for i := range runs {
			r = runs[i]
			f, err := r.judged(t.Context(), cat)
			if err != nil {
				t.Fatal(err)
			}
			if !r.right(f) {
				copy(runs[1:], runs[:i])
				runs[0] = r
				return r.name
			}
		}
		return ""
	}
	if wrong := seen(); wrong != "" {
		t.Fatalf("%s is judged wrong with all rules", wrong)
	}
	survives := map[string]string{}
	for why, listed := range survivors {
		for _, rule := range listed {
			survives[rule] = why
		}
	}
	for _, rule := range rules.names {
		why := survives[rule]
		if why != "" && testing.Short() {
			continue
		}
		leaveOut(rule)
		by := seen()
		switch {
		case by == "" && why == "":
			t.Errorf("no planted fault sees that this is left out: %s", rule)
		case by != "" && why != "":
			t.Errorf("%s sees that this is left out, which is listed as %q: %s", by, why, rule)
		}
	}
	for rule := range survives {
		if !slices.Contains(rules.names, rule) {
			t.Errorf("the judge has no such condition any more: %s", rule)
		}
	}
	t.Logf("%d conditions, %d of them without a verdict", len(rules.names), len(survives))
}

// runMutants runs this test again, with a judge whose rules can be left out.
func runMutants(t *testing.T, rules *mutation) {
	t.Helper()
	dir, replace := t.TempDir(), map[string]string{}
	put := func(path, text string) {
		replace[path] = filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(replace[path], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	imports, calls := "", ""
	for file, text := range rules.files {
		put(file, text)
		pkg := filepath.Dir(file)
		if at := filepath.Join(pkg, "rule.go"); replace[at] == "" {
			put(at, "package "+filepath.Base(pkg)+"\n\nvar out string\n\nfunc LeaveOut(rule string) { out = rule }\n\nfunc rule(name string) bool { return name != out }\n")
			imports += fmt.Sprintf("import %q\n", "github.com/virtmatrix/virtmatrix/"+strings.TrimPrefix(filepath.ToSlash(pkg), rules.root+"/"))
			calls += filepath.Base(pkg) + ".LeaveOut(rule); "
		}
	}
	put(filepath.Join(rules.root, "ci/virtmatrix/leaveout_test.go"), "package main\n\n"+imports+"\nfunc init() { leaveOut = func(rule string) { "+calls+"} }\n")
	overlay := filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, text, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-v", "-vet=off", "-timeout=30m", "-overlay", overlay, "-run", "^"+t.Name()+"$", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as bin/virtmatrix is built
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	t.Logf("%s", said)
}

// mutation is the judge with a switch at each of its conditions.
type mutation struct {
	root  string
	files map[string]string // by path
	names []string

	text  string
	fset  *token.FileSet
	where string
}

func mutated(t *testing.T) *mutation {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	m := &mutation{root: root, files: map[string]string{}, fset: token.NewFileSet()}
	for _, name := range slices.Sorted(maps.Keys(judges)) {
		path := filepath.Join(root, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(m.fset, path, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.text = string(text)
		found := map[string]bool{}
		var edits []edited
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && slices.Contains(judges[name], f.Name.Name) {
				found[f.Name.Name], m.where = true, name+" "+f.Name.Name
				edits = append(edits, m.function(f)...)
			}
		}
		if len(found) != len(judges[name]) {
			t.Errorf("%s lacks one of %q", name, judges[name])
		}
		m.files[path] = apply(m.text, edits)
	}
	return m
}

// edited is an expression and what stands in its place.
type edited struct {
	from, to int
	text     string
}

func apply(text string, edits []edited) string {
	slices.SortFunc(edits, func(a, b edited) int { return b.from - a.from })
	for _, e := range edits {
		text = text[:e.from] + e.text + text[e.to:]
	}
	return text
}

// function puts switches at the conditions of a function.
func (m *mutation) function(f *ast.FuncDecl) (edits []edited) {
	edit := func(e ast.Expr) {
		from, to := m.at(e)
		if !strings.Contains(m.text[from:to], "err != nil") { // what went wrong is no rule
			edits = append(edits, edited{from, to, m.off(e, m.condition(e))})
		}
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			edit(n.Cond)
		case *ast.SwitchStmt:
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					if n.Tag == nil {
						edit(e)
					}
				}
			}
		case *ast.ReturnStmt:
			for _, e := range n.Results {
				if b, ok := e.(*ast.BinaryExpr); ok && (b.Op == token.LAND || b.Op == token.LOR) {
					from, to := m.at(e)
					edits = append(edits, edited{from, to, m.condition(e)})
				}
			}
		}
		_, inner := n.(*ast.FuncLit)
		return !inner
	})
	return edits
}

func (m *mutation) at(e ast.Expr) (from, to int) {
	return m.fset.Position(e.Pos()).Offset, m.fset.Position(e.End()).Offset
}

// condition puts switches at the parts of a condition: one that is needed is left out by
// taking it for true, an alternative by taking it for false.
func (m *mutation) condition(e ast.Expr) string {
	from, to := m.at(e)
	switch b := e.(type) {
	case *ast.ParenExpr:
		return "(" + m.condition(b.X) + ")"
	case *ast.BinaryExpr:
		part := map[token.Token]func(ast.Expr, string) string{token.LAND: m.on, token.LOR: m.off}[b.Op]
		if part != nil {
			_, left := m.at(b.X)
			right, _ := m.at(b.Y)
			return part(b.X, m.condition(b.X)) + m.text[left:right] + part(b.Y, m.condition(b.Y))
		}
	}
	return m.text[from:to]
}

// off and on are a condition that can be made false or true.
func (m *mutation) off(e ast.Expr, text string) string {
	return "((" + text + ") && rule(" + m.name(e, "never") + "))"
}

func (m *mutation) on(e ast.Expr, text string) string {
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == token.LAND {
		return text // its parts are left out
	}
	return "((" + text + ") || !rule(" + m.name(e, "always") + "))"
}

// name names a rule for people, and quotes it for the compiler.
func (m *mutation) name(e ast.Expr, what string) string {
	from, to := m.at(e)
	name := m.where + " " + what + ": " + strings.Join(strings.Fields(m.text[from:to]), " ")
	for slices.Contains(m.names, name) {
		name += "'"
	}
	m.names = append(m.names, name)
	return fmt.Sprintf("%q", name)
}
