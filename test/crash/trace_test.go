package crash

import "testing"

func TestSyncedAnswersWantsAWriteAndASyncBeforeEachAnswer(t *testing.T) {
	const (
		write    = "11 pwrite64(9, \"group\"..., 8192, 4096) = 8192\n"
		sync     = "12 fdatasync(9)                     = 0\n"
		answer   = "13 write(12, \"HTTP/1.1 200 OK\\r\\n\"..., 214) = 214\n"
		begin    = "12 fdatasync(9 <unfinished ...>\n"
		end      = "12 <... fdatasync resumed>)         = 0\n"
		endError = "12 <... fdatasync resumed>)         = -1 EIO (Input/output error)\n"
		other    = "14 write(3, \"\\1\\0\\0\\0\\0\\0\\0\\0\", 8) = 8\n14 --- SIGURG {si_signo=SIGURG} ---\n"
		plain    = "10 openat(AT_FDCWD, \"data/journal/00\"..., O_RDWR|O_CLOEXEC, 0600) = 9\n"
		synced   = "10 openat(AT_FDCWD, \"data/journal/00\"..., O_RDWR|O_DSYNC|O_DIRECT|O_CLOEXEC) = 9\n"
		slowly   = "10 openat(AT_FDCWD, \"data/journal/00\"..., O_RDWR|O_DSYNC|O_CLOEXEC <unfinished ...>\n" + other + "10 <... openat resumed>) = 9\n"
		halfway  = "11 pwrite64(9, \"group\"... <unfinished ...>\n" + answer + "11 <... pwrite64 resumed>, 8192, 4096) = 8192\n"
		late     = "11 pwrite64(9, \"group\"... <unfinished ...>\n" + begin + "11 <... pwrite64 resumed>, 8192, 4096) = 8192\n" + end
	)
	for name, test := range map[string]struct {
		before  string
		trace   string
		answers int
		bad     bool
	}{
		"nothing":                         {"", "", 0, false},
		"write, sync, answer":             {"", write + sync + answer, 1, false},
		"with other calls between":        {"", write + other + begin + other + end + answer, 1, false},
		"twice":                           {"", write + sync + answer + other + write + begin + end + answer, 2, false},
		"no sync":                         {"", write + answer, 1, true},
		"no sync for the second":          {"", write + sync + answer + write + answer, 2, true},
		"sync before the write":           {"", sync + write + answer, 1, true},
		"sync begun before the write":     {"", begin + write + end + answer, 1, true},
		"sync begun while writing":        {"", late + answer, 1, true},
		"answer before the sync ends":     {"", write + begin + answer + end, 1, true},
		"sync failed":                     {"", write + begin + endError + answer, 1, true},
		"sync of another file":            {"", write + "12 fsync(8) = 0\n" + answer, 1, true},
		"only the log was written":        {"", other + sync + answer, 1, true},
		"fsync instead":                   {"", write + "12 fsync(9) = 0\n" + answer, 1, false},
		"an answer that is a second half": {"", write + sync + "13 write(12, \"HTTP/1.1 200 OK\\r\\n\"... <unfinished ...>\n13 <... write resumed>, 214) = 214\n", 1, false},
		"a write is synced":               {synced, write + answer, 1, false},
		"opened slowly":                   {slowly, write + answer, 1, false},
		"opened meanwhile":                {plain, synced + write + answer, 1, false},
		"the file was opened anew":        {synced, plain + write + answer, 1, true},
		"opened without syncs":            {plain, write + answer, 1, true},
		"answer before the write ends":    {synced, halfway, 1, true},
		"a synced write of another file":  {synced, "11 pwrite64(8, \"group\"..., 8192, 4096) = 8192\n" + answer, 1, true},
		"a synced write that failed":      {synced, "11 pwrite64(9, \"group\"..., 8192, 4096) = -1 EIO (Input/output error)\n" + answer, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			answers, err := syncedAnswers(test.before, test.trace)
			if answers != test.answers || (err != nil) != test.bad {
				t.Errorf("got %d answers, error %v; want %d, error %v, for\n%s%s", answers, err, test.answers, test.bad, test.before, test.trace)
			}
		})
	}
}
