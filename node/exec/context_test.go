package exec

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAContextEndsInEachWay(t *testing.T) {
	for _, lookFirst := range []bool{true, false} { // whether Done is asked before the end or after it
		for name, test := range map[string]struct {
			end  func(c *runContext, cancelParent func())
			want error
		}{
			"deadline": {func(*runContext, func()) { time.Sleep(time.Minute) }, context.DeadlineExceeded},
			"parent":   {func(_ *runContext, cancelParent func()) { cancelParent() }, context.Canceled},
			"end":      {func(c *runContext, _ func()) { c.end() }, context.Canceled},
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					parent, cancelParent := context.WithCancel(t.Context())
					defer cancelParent()
					var c runContext
					c.start(parent, time.Minute)
					defer c.end()
					if lookFirst {
						c.Done()
					}
					if c.Err() != nil {
						t.Fatalf("ended before its time: %v", c.Err())
					}
					test.end(&c, cancelParent)
					synctest.Wait()
					if !errors.Is(c.Err(), test.want) {
						t.Errorf("Err is %v, expected %v", c.Err(), test.want)
					}
					<-c.Done()
					if !errors.Is(c.Err(), test.want) {
						t.Errorf("after Done, Err is %v, expected %v", c.Err(), test.want)
					}
				})
			})
		}
	}
}

func TestTheEarlierDeadlineHolds(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var c runContext
	c.start(parent, time.Minute)
	got, _ := c.Deadline()
	if want, _ := parent.Deadline(); !got.Equal(want) {
		t.Errorf("deadline %v, expected %v", got, want)
	}
}

func TestChildrenEndWithTheContext(t *testing.T) {
	type key struct{}
	var c runContext
	c.start(context.WithValue(t.Context(), key{}, "value"), time.Minute)
	child, cancel := context.WithCancel(&c)
	defer cancel()
	if child.Value(key{}) != "value" {
		t.Error("the parent's value is not seen")
	}
	c.end()
	<-child.Done()
}
