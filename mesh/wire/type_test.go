package wire

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// numbers is the wire format as it was released: entries are added, never
// changed or removed.
var numbers = map[Type]protoreflect.Name{
	1: "Hello", 2: "Error", 3: "Done", 4: "Cancel",
	10: "Ping", 11: "Pong", 12: "Members", 13: "Leaving", 14: "Status", 15: "StatusReply",
	20: "Get", 21: "GetReply", 22: "Put", 23: "PutReply", 24: "Delete", 25: "List", 26: "ListReply",
	27: "Merge", 28: "MergeReply", 29: "Fetch", 30: "FetchReply", 31: "Push", 32: "PushReply",
	40: "Deploy", 41: "DeployReply", 42: "GetFunc", 43: "GetFuncReply", 44: "ListFuncs", 45: "ListFuncsReply",
	46: "DeleteFunc", 47: "UseVersion", 48: "CatalogChanged", 49: "ServeFuncs", 50: "Invoke", 51: "InvokeReply",
	52: "SendMessage", 53: "Receive", 54: "ReceiveReply", 55: "SetAlias",
	60: "CreateDAG", 61: "GetDAG", 62: "GetDAGReply", 63: "ListDAGs", 64: "ListDAGsReply", 65: "DeleteDAG",
	66: "Call", 67: "CallDAG", 68: "CallReply", 69: "Hop", 70: "SinkResult", 71: "EndRun",
	72: "AwaitRun", 73: "AwaitRunReply", 74: "CancelRun",
	75: "EndRuns", 76: "SurveyRun", 77: "SurveyRunReply", 78: "AmendRun", 79: "CheckRuns", 93: "CheckRunsReply",
	95: "Touch", 96: "CompareAndSet", 97: "GetAll", 98: "PutAll", 99: "BatchReply",
	150: "PutTrigger", 151: "GetTrigger", 152: "GetTriggerReply", 153: "ListTriggers", 154: "ListTriggersReply", 155: "DeleteTrigger",
	170: "PinRead", 171: "PinReply", 172: "PinWrite", 173: "ReadPinned", 174: "Seen", 175: "ForgetPinned", 176: "EndSession", 177: "Vouch", 178: "VouchReply",
	179: "AwaitCommit", 180: "AwaitCommitReply", 118: "Suspect",
	100: "Watch", 101: "WatchReply", 102: "Tail", 103: "TailReply", 104: "Scan", 105: "ScanReply", 106: "GetRange", 107: "GetRangeReply",
}

func TestNumbersOfMessagesDoNotChange(t *testing.T) {
	for number, name := range numbers {
		m := number.New()
		if m == nil || m.ProtoReflect().Descriptor().Name() != name {
			t.Errorf("type %d is %T: expected %s", number, m, name)
		}
	}
	for number, prototype := range prototypes {
		if got := TypeOf(prototype); got != number {
			t.Errorf("TypeOf(%T) is %d: expected %d", prototype, got, number)
		}
	}
}

func TestUnknownTypes(t *testing.T) {
	if TypeOf(&pb.Key{}) != 0 || TypeOf(nil) != 0 {
		t.Error("what is no message of the data plane has a type")
	}
	if m := Type(0).New(); m != nil {
		t.Errorf("type 0 is %T", m)
	}
}
