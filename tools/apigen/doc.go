// Command apigen writes internal/api/*api from the service models of a pinned botocore release.
//
//	go run ./tools/apigen            write every service of services.go
//	go run ./tools/apigen -check     fail if what is written differs from the repository
//	go run ./tools/apigen -model service-2.json.gz -package kinesisapi -out DIR
//
// The release is a Python wheel (a zip file) that holds botocore/data/SERVICE/DATE/service-2.json.gz.
// It is fetched once into the parts folder with pip and must have the checksum in services.go.
//
//	wheel ──► model.go: JSON as it is ──► types.go: names and Go types
//	                                          │
//	             emit_*.go: enums.go types.go errors.go service.go model.go
package main
