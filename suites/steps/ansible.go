package steps

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
)

// playLimit bounds a playbook, at scale 1. Each task starts Python anew.
const playLimit = 5 * time.Minute

// Where Debian's package ansible has its collections, and that of libvirt.
const (
	collections = "/usr/lib/python3/dist-packages/ansible_collections"
	collection  = collections + "/community/libvirt"
)

// uncompiled has Debian's py3compile leave the collections as they are: to compile the hundred that
// the package has takes a minute, and the checks use two.
const uncompiled = "dir|-4.0|" + collections + "|.*\n"

// Args are the arguments of a module.
type Args map[string]any

// Task is one of a playbook: a module with its arguments, and a name of its own.
type Task struct {
	Name, Module string
	Args         any
}

// Ansible is the release's own, with its collection community.libvirt, in L1.
type Ansible struct {
	t      *T
	folder string
	// Collection is the version of the collection.
	Collection string
	plays      int
}

// InstallAnsible installs the add-ons of the check, and notes what collection they have.
func (t *T) InstallAnsible() *Ansible {
	t.Sh("mkdir -p /usr/share/python3/bcep")
	t.Put("/usr/share/python3/bcep/virtmatrix", uncompiled)
	t.Install()
	a := &Ansible{t: t, folder: t.Scratch("ansible")}
	var manifest struct {
		Info struct {
			Version string `json:"version"`
		} `json:"collection_info"`
	}
	a.decode("MANIFEST.json of the collection", t.Sh("mkdir -p "+a.folder+" && cat "+collection+"/MANIFEST.json"), &manifest)
	a.Collection = manifest.Info.Version
	t.Note("community.libvirt %s, %s", a.Collection, strings.SplitN(t.Sh(a.program("ansible-playbook --version")), "\n", 2)[0])
	return a
}

// Played is how a playbook ended.
type Played struct {
	t     *T
	ended agent.Result
	tasks []string
	said  map[string]TaskResult
	// Recap counts tasks by how they ended, as Ansible's recap does.
	Recap struct{ OK, Changed, Failures, Unreachable, Skipped int }
}

// TaskResult is what Ansible tells of a task.
type TaskResult struct {
	Changed, Failed, Unreachable bool
	Msg                          any
	// All is what the module returned, as JSON.
	All json.RawMessage
}

// Play runs a playbook of these tasks in L1 against L1 itself and returns how it ended,
// whatever that is.
func (a *Ansible) Play(tasks ...Task) *Played {
	return a.run("", a.write("localhost", "local", tasks), tasks)
}

// PlayInGuest runs a playbook of these tasks in the guest of a domain, as the collection's inventory
// says how.
func (a *Ansible) PlayInGuest(d *Domain, tasks ...Task) *Played {
	a.putInventory()
	return a.run("--inventory "+a.inventory()+" ", a.write(d.Name, "community.libvirt.libvirt_qemu", tasks), tasks)
}

func (a *Ansible) run(options, file string, tasks []Task) *Played {
	return a.read(a.t.RunWithin(playLimit, a.program("ansible-playbook "+options+file)), tasks)
}

// Background runs a playbook and does not wait for it. What is returned waits for its end.
func (a *Ansible) Background(tasks ...Task) (wait func() *Played) {
	file := a.write("localhost", "local", tasks)
	a.t.Sh(fmt.Sprintf("{ { %s; echo $? >%s.rc.new; mv %[2]s.rc.new %[2]s.rc; } >%[2]s.out 2>%[2]s.err </dev/null & }", a.program("ansible-playbook "+file), file))
	return func() *Played {
		a.t.Until(playLimit, "the playbook is over", func() bool { return a.t.Exists(file + ".rc") })
		return a.read(a.t.Run("cat "+file+".out; cat "+file+".err >&2; exit $(cat "+file+".rc)"), tasks)
	}
}

// write writes a playbook, as JSON, which is YAML.
func (a *Ansible) write(hosts, connection string, tasks []Task) (file string) {
	list := []map[string]any{}
	for _, task := range tasks {
		list = append(list, map[string]any{"name": task.Name, task.Module: task.Args})
	}
	text, err := json.MarshalIndent([]any{map[string]any{"name": a.t.Check, "hosts": hosts, "connection": connection, "gather_facts": false, "tasks": list}}, "", " ")
	a.t.must(err, "write playbook")
	a.plays++
	file = fmt.Sprintf("%s/play-%d.yml", a.folder, a.plays)
	a.t.Put(file, string(text))
	return file
}

// program is a command of Ansible's that answers in JSON and has its things in a folder of the check.
func (a *Ansible) program(command string) string {
	return fmt.Sprintf("cd %[1]s && env HOME=%[1]s LC_ALL=C.UTF-8 ANSIBLE_STDOUT_CALLBACK=ansible.posix.json ANSIBLE_NOCOLOR=1 %s", a.folder, command)
}

// read takes the results out of what a playbook printed. One that never began prints none.
func (a *Ansible) read(res agent.Result, tasks []Task) *Played {
	p := &Played{t: a.t, ended: res, said: map[string]TaskResult{}}
	for _, task := range tasks {
		p.tasks = append(p.tasks, task.Name)
	}
	a.t.KeepText(fmt.Sprintf("play-%d.txt", a.plays), res.Text())
	_, text, ok := strings.Cut(string(res.Stdout), "{")
	if !ok {
		return p
	}
	var out struct {
		Plays []struct {
			Tasks []struct {
				Task  struct{ Name string }
				Hosts map[string]json.RawMessage
			}
		}
		Stats map[string]struct{ OK, Changed, Failures, Unreachable, Skipped int }
	}
	a.decode("what the playbook printed", "{"+text, &out)
	for _, play := range out.Plays {
		for _, task := range play.Tasks {
			for _, raw := range task.Hosts {
				r := TaskResult{All: raw}
				a.decode("result of "+task.Task.Name, string(raw), &r)
				p.said[task.Task.Name] = r
			}
		}
	}
	for _, s := range out.Stats {
		p.Recap.OK, p.Recap.Changed, p.Recap.Failures = p.Recap.OK+s.OK, p.Recap.Changed+s.Changed, p.Recap.Failures+s.Failures
		p.Recap.Unreachable, p.Recap.Skipped = p.Recap.Unreachable+s.Unreachable, p.Recap.Skipped+s.Skipped
	}
	return p
}

func (a *Ansible) decode(what, text string, into any) {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		a.t.must(fault.Infraf("read "+what, "%w:\n%s", err, text), "")
	}
}

// Result is what a task of the playbook said. One that was not reached said nothing.
func (p *Played) Result(task string) TaskResult { return p.said[task] }

// Returned reads what the module of a task returned.
func (p *Played) Returned(task string, into any) {
	if err := json.Unmarshal(p.said[task].All, into); err != nil {
		p.t.Fail(p.t.Layer, "task %q returned something else: %v:\n%s", task, err, p.said[task].All)
	}
}

// ExpectOK asserts that each task of the playbook went well, by its own words.
func (p *Played) ExpectOK() *Played {
	if !p.ended.OK() || p.Recap.Failures+p.Recap.Unreachable > 0 || p.Recap.OK < len(p.tasks) {
		p.t.Fail(p.t.Layer, "the playbook ended with status %d:\n%s", p.ended.Code, strings.Join(p.complaints(), "\n"))
	}
	return p
}

// ExpectChanged asserts that each task went well and that just these changed something, by
// Ansible's words.
func (p *Played) ExpectChanged(changed ...string) *Played {
	p.ExpectOK()
	var did []string
	for _, task := range p.tasks {
		if p.said[task].Changed {
			did = append(did, task)
		}
	}
	p.t.Expect(did).To(gomega.ConsistOf(changed), "tasks that changed something, as Ansible says")
	return p
}

// ExpectFailed asserts that a task failed, or could not reach its host, and returns what the user is told.
func (p *Played) ExpectFailed(task string) string {
	r := p.said[task]
	if p.ended.OK() || !r.Failed && !r.Unreachable {
		p.t.Fail(p.t.Layer, "the task %q did not fail, and the playbook ended with status %d:\n%s", task, p.ended.Code, r.All)
	}
	return fmt.Sprint(r.Msg)
}

// complaints are what tasks that failed said, or all that a playbook printed that never began.
func (p *Played) complaints() (list []string) {
	for task, r := range p.said {
		if r.Failed || r.Unreachable {
			list = append(list, fmt.Sprintf("%s: %v", task, r.Msg))
		}
	}
	slices.Sort(list)
	if len(list) == 0 {
		return []string{p.ended.Text()}
	}
	return list
}

// unsafe is how ansible-inventory marks what is no template, from ansible-core 2.19 on.
var unsafe = regexp.MustCompile(`\{\s*"__ansible_unsafe":\s*("(?:[^"\\]|\\.)*")\s*\}`)

// inventory is where the collection's plugin is told what to list.
func (a *Ansible) inventory() string { return a.folder + "/guests.libvirt.yml" }

func (a *Ansible) putInventory() {
	a.t.Put(a.inventory(), "plugin: community.libvirt.libvirt\nuri: "+a.t.URI()+"\n")
}

// Inventory reads what the collection's inventory of the cell's guests says.
func (a *Ansible) Inventory(into any) {
	a.putInventory()
	said := a.t.Sh(a.program("ansible-inventory --list --inventory " + a.inventory()))
	a.t.KeepText("inventory.json", said)
	a.decode("inventory", unsafe.ReplaceAllString(said, "$1"), into)
}

// Virt is a task that has the module virt do something to the cell's driver.
func (a *Ansible) Virt(name string, args Args) Task { return a.of("virt", name, args) }

// VirtNet is one of the module virt_net.
func (a *Ansible) VirtNet(name string, args Args) Task { return a.of("virt_net", name, args) }

// VirtPool is one of the module virt_pool.
func (a *Ansible) VirtPool(name string, args Args) Task { return a.of("virt_pool", name, args) }

func (a *Ansible) of(module, name string, args Args) Task {
	args["uri"] = a.t.URI()
	return Task{Name: name, Module: "community.libvirt." + module, Args: args}
}

// Shell is a task that runs a command in L1.
func (a *Ansible) Shell(name, command string) Task {
	return Task{Name: name, Module: "ansible.builtin.shell", Args: Args{"cmd": command}}
}

// CollectionFile is where a plugin of the collection is, for controls.
func CollectionFile(plugin string) string { return collection + "/plugins/" + plugin }
