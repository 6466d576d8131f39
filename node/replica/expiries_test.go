package replica

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh"
)

func TestExpiryScripts(t *testing.T) {
	golden.Scripts(t, "expiries", func() func(string) string {
		e := &expiries{grace: 5 * time.Second, takeover: 30 * time.Second, pause: time.Second, longest: 10 * time.Second}
		start := time.Unix(0, 0)
		now := start
		e.due = start
		seconds := func(command, name string) time.Duration {
			d, err := time.ParseDuration(argument(command, name))
			if err != nil {
				panic(err)
			}
			return d
		}
		return func(command string) string {
			verb, rest, _ := strings.Cut(command, " ")
			switch verb {
			case "wait": // until a look is due
				if e.Due().After(now) {
					now = e.Due()
				}
				after, by := e.Look(now)
				return fmt.Sprintf("%v: look after %q, up to %v", now.Sub(start), after.Key.Name, by.Sub(start))
			case "pass":
				now = now.Add(seconds(command, "time"))
			case "found": // key@moment/rank ..., and "more"
				var found []lapsed
				var last mesh.Expiring
				for word := range strings.FieldsSeq(strings.TrimSuffix(rest, " more")) {
					var name, at string
					var rank int
					if _, err := fmt.Sscanf(strings.NewReplacer("@", " ", "/", " ").Replace(word), "%s %s %d", &name, &at, &rank); err != nil {
						return err.Error()
					}
					d, err := time.ParseDuration(at)
					if err != nil {
						return err.Error()
					}
					last = mesh.Expiring{Key: key(name), At: start.Add(d)}
					found = append(found, lapsed{last, rank})
				}
				doomed := e.Found(found, last, strings.HasSuffix(command, " more"), now)
				var names []string
				for _, k := range doomed {
					names = append(names, k.Name)
				}
				return fmt.Sprintf("delete %q", names)
			case "deleted":
				var done, failed int
				if _, err := fmt.Sscanf(rest, "%d failed=%d", &done, &failed); err != nil {
					return err.Error()
				}
				e.Deleted(done, failed, now)
			case "unseen":
				e.Unseen(now)
			default:
				return "unknown command " + verb
			}
			return ""
		}
	})
}
