package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/archive"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// archiveTimeout is how long a backup or restore may take unless --timeout says otherwise.
const archiveTimeout = 24 * time.Hour

func backupCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIR",
		Short: "Save what the mesh holds in a folder",
		Long: `Save what the mesh holds in a folder, which must be empty or missing: state of all
namespaces, functions and DAGs. The mesh goes on working meanwhile. Of each key
at least what was acknowledged before the backup began is in it; keys that are
written meanwhile are as they were at some moment of it, each for itself.

A folder is a backup once it has a manifest.json, which is written last.
virga restore reads it. It needs an unrestricted certificate with the verbs
read and admin.`,
		Example: "  virga backup /var/backups/mesh",
		Args:    exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("timeout") {
				a.timeout = archiveTimeout
			}
			return runBackup(cmd.Context(), a, args[0])
		},
	}
}

func runBackup(ctx context.Context, a *app, dir string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		out, err := archive.Create(dir, hex.EncodeToString(status.MeshID), time.Now())
		if err != nil {
			return err
		}
		defer out.Abandon()
		progress := a.newProgress("partitions")
		for p := range mesh.Partition(mesh.Partitions) {
			records, err := backUpPartition(ctx, client, p)
			if err != nil {
				return err
			}
			for key, cell := range records {
				if err := out.Write(mesh.Record{Key: key, Cell: cell}); err != nil {
					return err
				}
			}
			progress.at(int(p)+1, mesh.Partitions)
		}
		manifest, err := out.Finish(time.Now())
		if err != nil {
			return err
		}
		return a.show(archived{Folder: dir, Records: manifest.Records, Bytes: manifest.Bytes(), did: "saved"})
	})
}

// partitionTries is how often a partition is read when nodes come and go meanwhile.
const partitionTries = 5

// backUpPartition reads a partition, with each key once.
func backUpPartition(ctx context.Context, client *sdk.Client, p mesh.Partition) (records map[mesh.Key]lattice.Cell, err error) {
	for try := range partitionTries {
		if records, err = readPartition(ctx, client, p); err == nil || !mesh.KindOf(err).Retryable() {
			return records, err
		}
		select {
		case <-time.After(time.Second << try):
		case <-ctx.Done():
			return nil, mesh.AsError("backup", ctx.Err())
		}
	}
	return nil, err
}

func readPartition(ctx context.Context, client *sdk.Client, p mesh.Partition) (map[mesh.Key]lattice.Cell, error) {
	records := map[mesh.Key]lattice.Cell{}
	for record, err := range client.Backup(ctx, p) {
		if err != nil {
			return nil, err
		}
		cell := records[record.Key]
		if _, err := cell.Merge(record.Cell); err != nil {
			return nil, mesh.Errorf(mesh.Conflict, "backup", "owners hold %v with different kinds: %w", record.Key, err)
		}
		records[record.Key] = cell
	}
	return records, nil
}

// archived is what was done with a backup.
type archived struct {
	Folder  string `json:"folder"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`

	did string
}

func (d archived) text(w io.Writer) {
	fmt.Fprintf(w, "%s %d records, %d bytes, in %s\n", d.did, d.Records, d.Bytes, d.Folder)
}
