package wire

import (
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Message is any message of the data plane.
type Message = proto.Message

// Type says which message a frame's body is. The numbers are part of the
// wire format: append, never renumber, never reuse.
type Type uint16

// prototypes lists the messages by Type.
var prototypes = map[Type]Message{
	1: (*pb.Hello)(nil),
	2: (*pb.Error)(nil),
	3: (*pb.Done)(nil),
	4: (*pb.Cancel)(nil),

	10: (*pb.Ping)(nil),
	11: (*pb.Pong)(nil),
	12: (*pb.Members)(nil),
	13: (*pb.Leaving)(nil),
	14: (*pb.Status)(nil),
	15: (*pb.StatusReply)(nil),

	20: (*pb.Get)(nil),
	21: (*pb.GetReply)(nil),
	22: (*pb.Put)(nil),
	23: (*pb.PutReply)(nil),
	24: (*pb.Delete)(nil),
	25: (*pb.List)(nil),
	26: (*pb.ListReply)(nil),
	27: (*pb.Merge)(nil),
	28: (*pb.MergeReply)(nil),
	29: (*pb.Fetch)(nil),
	30: (*pb.FetchReply)(nil),
	31: (*pb.Push)(nil),
	32: (*pb.PushReply)(nil),
	33: (*pb.MergeMany)(nil),
	34: (*pb.MergeManyReply)(nil),

	40: (*pb.Deploy)(nil),
	41: (*pb.DeployReply)(nil),
	42: (*pb.GetFunc)(nil),
	43: (*pb.GetFuncReply)(nil),
	44: (*pb.ListFuncs)(nil),
	45: (*pb.ListFuncsReply)(nil),
	46: (*pb.DeleteFunc)(nil),
	47: (*pb.UseVersion)(nil),
	48: (*pb.CatalogChanged)(nil),
	49: (*pb.ServeFuncs)(nil),
	50: (*pb.Invoke)(nil),
	51: (*pb.InvokeReply)(nil),
	52: (*pb.SendMessage)(nil),
	53: (*pb.Receive)(nil),
	54: (*pb.ReceiveReply)(nil),
	55: (*pb.SetAlias)(nil),

	60: (*pb.CreateDAG)(nil),
	61: (*pb.GetDAG)(nil),
	62: (*pb.GetDAGReply)(nil),
	63: (*pb.ListDAGs)(nil),
	64: (*pb.ListDAGsReply)(nil),
	65: (*pb.DeleteDAG)(nil),
	66: (*pb.Call)(nil),
	67: (*pb.CallDAG)(nil),
	68: (*pb.CallReply)(nil),
	69: (*pb.Hop)(nil),
	70: (*pb.SinkResult)(nil),
	71: (*pb.EndRun)(nil),
	72: (*pb.AwaitRun)(nil),
	73: (*pb.AwaitRunReply)(nil),
	74: (*pb.CancelRun)(nil),
	75: (*pb.EndRuns)(nil),
	76: (*pb.SurveyRun)(nil),
	77: (*pb.SurveyRunReply)(nil),
	78: (*pb.AmendRun)(nil),
	79: (*pb.CheckRuns)(nil),
	93: (*pb.CheckRunsReply)(nil),

	80: (*pb.SyncDigests)(nil),
	81: (*pb.SyncDigestsReply)(nil),
	82: (*pb.SyncPull)(nil),
	83: (*pb.SyncPullReply)(nil),
	84: (*pb.SyncDone)(nil),
	85: (*pb.SyncNow)(nil),
	86: (*pb.Collect)(nil),
	87: (*pb.CollectReply)(nil),
	88: (*pb.SyncFloors)(nil),
	89: (*pb.SyncFloorsReply)(nil),

	90: (*pb.Drain)(nil),
	91: (*pb.DrainReply)(nil),
	92: (*pb.Forget)(nil),

	100: (*pb.Watch)(nil),
	101: (*pb.WatchReply)(nil),
	102: (*pb.Tail)(nil),
	103: (*pb.TailReply)(nil),
	104: (*pb.Scan)(nil),
	105: (*pb.ScanReply)(nil),
	106: (*pb.GetRange)(nil),
	107: (*pb.GetRangeReply)(nil),

	110: (*pb.Stats)(nil),
	111: (*pb.StatsReply)(nil),
	112: (*pb.HotReport)(nil),
	113: (*pb.HotKeys)(nil),
	115: (*pb.AskWrite)(nil),
	116: (*pb.AskWriteReply)(nil),
	117: (*pb.Probe)(nil),
	118: (*pb.Suspect)(nil),

	120: (*pb.GetElement)(nil),
	121: (*pb.GetPage)(nil),
	122: (*pb.GetPageReply)(nil),
	123: (*pb.FetchParts)(nil),
	124: (*pb.FetchPartsReply)(nil),
	125: (*pb.Holdings)(nil),

	130: (*pb.Backup)(nil),
	131: (*pb.BackupReply)(nil),
	132: (*pb.Restore)(nil),
	133: (*pb.Give)(nil),

	140: (*pb.Namespaces)(nil),
	141: (*pb.NamespacesReply)(nil),

	150: (*pb.PutTrigger)(nil),
	151: (*pb.GetTrigger)(nil),
	152: (*pb.GetTriggerReply)(nil),
	153: (*pb.ListTriggers)(nil),
	154: (*pb.ListTriggersReply)(nil),
	155: (*pb.DeleteTrigger)(nil),
	160: (*pb.Workload)(nil),
	161: (*pb.Usage)(nil),
	162: (*pb.UsageReply)(nil),
	163: (*pb.PinFunc)(nil),

	170: (*pb.PinRead)(nil),
	171: (*pb.PinReply)(nil),
	172: (*pb.PinWrite)(nil),
	173: (*pb.ReadPinned)(nil),
	174: (*pb.Seen)(nil),
	175: (*pb.ForgetPinned)(nil),
	176: (*pb.EndSession)(nil),
	177: (*pb.Vouch)(nil),
	178: (*pb.VouchReply)(nil),
	179: (*pb.AwaitCommit)(nil),
	180: (*pb.AwaitCommitReply)(nil),

	95: (*pb.Touch)(nil),
	96: (*pb.CompareAndSet)(nil),
	97: (*pb.GetAll)(nil),
	98: (*pb.PutAll)(nil),
	99: (*pb.BatchReply)(nil),
}

var typesByMessage = func() map[reflect.Type]Type {
	types := make(map[reflect.Type]Type, len(prototypes))
	for t, m := range prototypes {
		types[reflect.TypeOf(m)] = t
	}
	return types
}()

// TypeOf gives the type of a message, or 0 for a message that is none of the data plane's.
func TypeOf(m Message) Type { return typesByMessage[reflect.TypeOf(m)] }

// New gives an empty message of a type, or nil for a type that this version does not know.
func (t Type) New() Message {
	prototype, ok := prototypes[t]
	if !ok {
		return nil
	}
	return prototype.ProtoReflect().New().Interface()
}
