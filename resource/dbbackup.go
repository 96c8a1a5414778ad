package resource

// DBBackup is the kind of backups of databases.
var DBBackup = define[DBBackupSpec, DBBackupStatus](Kind{
	Name:  "dbbackup",
	Title: "Database backup",
	Doc:   "A copy of all that a database server holds, from which another one can be created. Those that the cloud makes by itself are listed, too.",
})

// DBBackupSpec is what a backup is asked to be.
type DBBackupSpec struct {
	Database string `json:"database" doc:"Name of the database to back up. The backup stays when that is deleted." ref:"database,weak" minLength:"1" maxLength:"512"`
}

// DBBackupStatus is what the cloud reports of a backup.
type DBBackupStatus struct {
	SizeGiB   int    `json:"sizeGiB,omitempty" doc:"Size of the storage that it needs, in GiB."`
	Engine    string `json:"engine,omitempty" doc:"Engine that can read it."`
	Version   string `json:"version,omitempty" doc:"Version of the engine that it was made of."`
	Automatic bool   `json:"automatic,omitempty" doc:"Whether the cloud made it by itself. It goes with the database, or when its days are over."`
}
