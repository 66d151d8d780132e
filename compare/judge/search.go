package judge

import (
	"slices"
	"strings"
)

// searched are variables whose addresses stand in many places.
const searched = "init_task init_mm init_cred init_user_ns init_pid_ns init_uts_ns init_ipc_ns init_net init_fs init_files"

// searchValues is how many values are searched for at once.
const searchValues = 20

// SearchCommands search for twenty values: variables, and tasks of the dump.
func SearchCommands(f *Facts) []string {
	values := strings.Fields(searched)
	tasks := slices.DeleteFunc(f.TaskAddrs(), func(a string) bool { return strings.HasPrefix(a, "ffffffff") }) // init_task
	for i := 0; len(values) < searchValues && i < len(tasks); i++ {
		values = append(values, tasks[i*len(tasks)/searchValues])
	}
	all := " " + strings.Join(values, " ")
	return []string{"search -k" + all, "search -V" + all, "search -t" + all}
}
