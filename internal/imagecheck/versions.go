package imagecheck

// seedsByVersion is what was measured of cloud-init's versions, as the document has it. The
// checks C-CI-* ask it again.
const seedsByVersion = `
## Seeds, by version of cloud-init

Measured with images that are made from each release (role cloud of the recipes), emulated. The checks C-CI-* ask it of each release's own stack.

| | 20.4.1 (Debian 11) | 22.4.2 (Debian 12) | 25.1.4 (Debian 13) | 26.2 (sid) |
|---|---|---|---|---|
| seed on ISO 9660, on VFAT | taken | taken | taken | taken |
| data source in result.json, after DataSourceNoCloud | [seed=/dev/vdb][dsmode=net] | [seed=/dev/vdb][dsmode=net] | [seed=/dev/vdb] | [seed=/dev/vdb] |
| seed without meta-data | "not a valid seed", DataSourceNone | "not a valid seed", DataSourceNone | "not a valid seed", DataSourceNone | "not a valid seed", DataSourceNone |
| no seed, nothing that may be there | does not run | does not run | does not run | does not run |
| no seed, something may be there (EC2, not strict), ds-identify's own policy | runs (maybe=all) | does not run (maybe=none) | does not run (maybe=none) | does not run (maybe=none) |
| the same with ci.di.policy and maybe=all | runs, DataSourceNone | runs, DataSourceNone | runs, DataSourceNone | runs, DataSourceNone |
| the same with maybe=none | does not run | does not run | does not run | does not run |
| second boot, same instance-id | nothing again | not measured | nothing again | nothing again |
| another instance-id | all again, new host keys | not measured | all again, new host keys | all again, new host keys |

A seed's label is enough for ds-identify: one without meta-data has cloud-init run, which then makes host keys and nobody who can log in.
Where 20.4 looks for EC2 and nobody answers, it does so for two minutes of the boot.
`
