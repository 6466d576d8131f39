package main

import (
	"context"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/internal/archive"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func restoreCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "restore DIR",
		Short: "Merge a backup into the mesh",
		Long: `Merge a backup into the mesh, which may have another number of nodes than the one
that was saved, or be another mesh. All files are checked before anything is
restored. What was written since the backup stays. A key that was deleted since
stays deleted while the mesh remembers that, for an hour at least; what was
deleted longer ago comes back. To go back to the backup's state, restore into a
new mesh.
Restoring twice is as restoring once. It needs an unrestricted certificate with
the verbs write and admin.`,
		Example: "  virga restore /var/backups/mesh",
		Args:    exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("timeout") {
				a.timeout = archiveTimeout
			}
			return runRestore(cmd.Context(), a, args[0])
		},
	}
}

func runRestore(ctx context.Context, a *app, dir string) error {
	manifest, err := archive.ReadManifest(dir)
	if err != nil {
		return err
	}
	if err := archive.Verify(dir, manifest); err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		if err := restoreAll(ctx, a, client, dir, manifest); err != nil {
			return err
		}
		return a.show(archived{Folder: dir, Records: manifest.Records, Bytes: manifest.Bytes(), did: "restored"})
	})
}

// Bounds of what is sent at once, and of how much is under way.
const (
	restoreBytes   = 512 << 10
	restoresAtOnce = 8
)

// restoreAll sends the records of a backup, which are in the order of their
// partitions, so many at a time.
func restoreAll(ctx context.Context, a *app, client *sdk.Client, dir string, manifest archive.Manifest) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(restoresAtOnce)
	progress := a.newProgress("records")
	var batch []mesh.Record
	var bytes, sent int
	send := func() {
		if records := batch; len(records) > 0 {
			group.Go(func() error { return client.Restore(ctx, records) })
			sent += len(records)
			progress.at(sent, int(manifest.Records))
		}
		batch, bytes = nil, 0
	}
	err := archive.Read(dir, manifest, func(r mesh.Record) error {
		if len(batch) > 0 && (bytes >= restoreBytes || batch[0].Key.Partition() != r.Key.Partition()) {
			send()
		}
		batch = append(batch, r)
		bytes += r.Cell.Size()
		return ctx.Err() // a batch that failed has ended it
	})
	send()
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}
