package bench

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// UDPFloor measures a datagram of EchoSize bytes there and back, each caller
// on a socket of its own.
func UDPFloor(ctx context.Context, addr string, load Load) (Sample, error) {
	conns := make([]net.Conn, load.Callers)
	for i := range conns {
		conn, err := net.Dial("udp4", addr)
		if err != nil {
			return Sample{}, err
		}
		defer conn.Close()
		conns[i] = conn
	}
	return load.Run(ctx, func(_ context.Context, caller int) error { return echoDatagram(conns[caller]) })
}

// datagramTimeout is when a datagram counts as lost, which on loopback none is.
const datagramTimeout = 5 * time.Second

func echoDatagram(conn net.Conn) error {
	var buf [EchoSize]byte
	if err := conn.SetDeadline(time.Now().Add(datagramTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write(buf[:]); err != nil {
		return err
	}
	_, err := conn.Read(buf[:])
	return err
}

// QUICFloor measures messages of EchoSize bytes there and back, all callers
// on one long-lived stream: the least that a request over QUIC can cost.
func QUICFloor(ctx context.Context, addr string, settings *quic.Config, load Load) (Sample, error) {
	client := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{echoALPN}} // the floor measures bytes, not trust
	conn, err := quic.DialAddr(ctx, addr, client, settings)
	if err != nil {
		return Sample{}, err
	}
	defer conn.CloseWithError(0, "done")
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return Sample{}, err
	}
	if load.Callers == 1 {
		return load.Run(ctx, echoAlone(stream))
	}
	op, wait := echoShared(stream, load.Callers)
	sample, err := load.Run(ctx, op)
	conn.CloseWithError(0, "done")
	wait()
	return sample, err
}

func echoAlone(stream *quic.Stream) Operation {
	out, in := make([]byte, EchoSize), make([]byte, EchoSize)
	return func(context.Context, int) error {
		if _, err := stream.Write(out); err != nil {
			return err
		}
		_, err := io.ReadFull(stream, in)
		return err
	}
}

// echoShared lets callers share a stream: whoever finds it free writes for
// all that wait, and one reader hands the answers out.
func echoShared(stream *quic.Stream, callers int) (op Operation, wait func()) {
	answers := make([]chan struct{}, callers)
	for i := range answers {
		answers[i] = make(chan struct{}, 1)
	}
	ended := make(chan error, 1)
	go func() { ended <- handOut(stream, answers) }()
	var (
		lock    sync.Mutex
		pending []byte
		writing bool
	)
	write := func(caller int) error {
		lock.Lock()
		defer lock.Unlock()
		var message [EchoSize]byte
		binary.BigEndian.PutUint32(message[:], uint32(caller))
		pending = append(pending, message[:]...)
		if writing {
			return nil
		}
		writing = true
		defer func() { writing = false }()
		for len(pending) > 0 {
			batch := pending
			pending = nil
			lock.Unlock()
			_, err := stream.Write(batch)
			lock.Lock()
			if err != nil {
				return err
			}
		}
		return nil
	}
	op = func(ctx context.Context, caller int) error {
		if err := write(caller); err != nil {
			return err
		}
		select {
		case <-answers[caller]:
			return nil
		case err := <-ended:
			ended <- err
			return fmt.Errorf("echo: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return op, func() { <-ended }
}

func handOut(stream *quic.Stream, answers []chan struct{}) error {
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := stream.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		whole := buf
		for ; len(whole) >= EchoSize; whole = whole[EchoSize:] {
			answers[binary.BigEndian.Uint32(whole)] <- struct{}{}
		}
		buf = buf[:copy(buf, whole)]
		if err != nil {
			return err
		}
	}
}
