package wire

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// FromTrigger gives t as a message that shares the bytes of its arguments.
func FromTrigger(t *mesh.Trigger) *pb.Trigger {
	m := &pb.Trigger{
		Namespace: t.Namespace, Name: t.Name, CreatedUnixUs: fromTime(t.Created), Dag: t.DAG,
		Cause: uint32(t.Cause.Kind), Key: t.Cause.Key, Cron: t.Cause.Cron, Zone: t.Cause.Zone,
		AfterUs: uint64(t.Cause.After / time.Microsecond), AtUnixUs: fromTime(t.Cause.At),
		AtOnce: uint32(t.AtOnce), Rate: uint32(t.Rate), Attempts: uint32(t.Attempts), TimeoutUs: uint64(t.Timeout / time.Microsecond),
	}
	if !t.ID.IsZero() {
		m.Id = t.ID[:]
	}
	if t.DAG == "" {
		m.Func = FromFuncRef(t.Func)
	}
	for _, arg := range t.Args {
		m.Args = append(m.Args, &pb.Value{Format: uint32(arg.Format), Data: arg.Data})
	}
	return m
}

// ToTrigger reads and validates a trigger.
func ToTrigger(m *pb.Trigger) (*mesh.Trigger, error) {
	t := &mesh.Trigger{
		Namespace: m.GetNamespace(), Name: m.GetName(), Created: toTime(m.GetCreatedUnixUs()), DAG: m.GetDag(),
		Func: mesh.FuncRef{Namespace: m.GetFunc().GetNamespace(), Name: m.GetFunc().GetName(), Version: m.GetFunc().GetVersion()},
		Cause: mesh.Cause{
			Kind: mesh.CauseKind(min(m.GetCause(), 255)), Key: m.GetKey(), Cron: m.GetCron(), Zone: m.GetZone(),
			After: toDuration(m.GetAfterUs(), mesh.MaxTriggerDelay), At: toTime(m.GetAtUnixUs()),
		},
		AtOnce: toInt(m.GetAtOnce()), Rate: toInt(m.GetRate()), Attempts: toInt(m.GetAttempts()),
		Timeout: toDuration(m.GetTimeoutUs(), mesh.MaxFuncTime),
	}
	switch id := m.GetId(); len(id) {
	case 0:
	case len(t.ID):
		t.ID = mesh.TriggerID(id)
	default:
		return nil, mesh.Errorf(mesh.Invalid, "trigger "+t.Name, "an id of %d bytes: expected %d", len(id), len(t.ID))
	}
	for _, arg := range m.GetArgs() {
		if arg.GetFormat() == 0 {
			t.Args = append(t.Args, mesh.Value{})
			continue
		}
		v, err := ToValue(arg)
		if err != nil {
			return nil, err
		}
		t.Args = append(t.Args, v)
	}
	return t, t.Validate()
}

// FromTriggerStatus gives s as a message.
func FromTriggerStatus(s *mesh.TriggerStatus) *pb.TriggerInfo {
	return &pb.TriggerInfo{
		Trigger: FromTrigger(&s.Trigger), Keeper: []byte(s.Keeper), LastFiredUnixUs: fromTime(s.LastFired), NextDueUnixUs: fromTime(s.NextDue),
		Fired: s.Fired, Failed: s.Failed, Waiting: uint32(s.Waiting), LastError: sendable(s.LastError),
	}
}

// ToTriggerStatus reads how a trigger stands.
func ToTriggerStatus(m *pb.TriggerInfo) (mesh.TriggerStatus, error) {
	t, err := ToTrigger(m.GetTrigger())
	if err != nil {
		return mesh.TriggerStatus{}, err
	}
	return mesh.TriggerStatus{
		Trigger: *t, Keeper: mesh.NodeID(m.Keeper), LastFired: toTime(m.LastFiredUnixUs), NextDue: toTime(m.NextDueUnixUs),
		Fired: m.Fired, Failed: m.Failed, Waiting: toInt(m.Waiting), LastError: m.LastError,
	}, nil
}

// fromTime gives a moment as microseconds of the Unix epoch; what is before it, and the zero time, as 0.
func fromTime(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMicro(), 0))
}

func toTime(us uint64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(min(us, maxTime))).UTC()
}

// maxTime is the largest moment that is read, in the year 10000.
const maxTime = 253_402_300_800_000_000

// toDuration reads microseconds; more than most becomes one more than it, for validation to refuse.
func toDuration(us uint64, most time.Duration) time.Duration {
	if us > uint64(most/time.Microsecond) {
		return most + 1
	}
	return time.Duration(us) * time.Microsecond
}

func toInt(n uint32) int { return int(min(n, 1<<31-1)) }
