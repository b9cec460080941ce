/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The folder that is a machine: NAME.vitrine with machine.conf, disks, nvram.fd (the
 * UEFI variables, of a machine that has them), thumbnail.png, engine.log.
 * There is no registry: the library is what lies in bundle_default_root() and whatever else is
 * opened. Included by the engine and all front ends. */

#include "model/definition.h"

#define BUNDLE_SUFFIX ".vitrine"
#define BUNDLE_DEFINITION "machine.conf"
#define BUNDLE_THUMBNAIL "thumbnail.png"
#define BUNDLE_LOG "engine.log"
#define BUNDLE_NVRAM "nvram.fd"
/* Exists from start to a clean end: left behind, it tells a crash. A key file, [engine] pid=. */
#define BUNDLE_RUNNING "running"

/* $XDG_DATA_HOME/vitrine/machines. */
char *bundle_default_root(void);
/* Makes @root/NAME.vitrine with the definition in it and returns its path. The folder's name is the
 * machine's without what file systems dislike. Fails, and leaves nothing behind, when there is one
 * already. */
char *bundle_create(const char *root, Definition *definition, GError **error);
/* Paths of the bundles in @root, sorted; an empty array when there is no such folder. */
GPtrArray *bundle_list(const char *root);
bool bundle_is_bundle(const char *path);
Definition *bundle_load(const char *bundle, GError **error);
bool bundle_save(const char *bundle, Definition *definition, GError **error);
/* @path of a definition as an absolute path. */
char *bundle_dup_absolute(const char *bundle, const char *path);
/* The other way: absolute @path as the definition keeps it, so that what lies in the bundle moves
 * with it. */
char *bundle_dup_relative(const char *bundle, const char *path);
/* The disc of files that drive @drive of this machine may have: "files-0.iso". Gone when it is not
 * in the drive. */
char *bundle_dup_file_disc(const char *bundle, unsigned drive);
/* A free file name in the bundle for another disk: disk-0.qcow2. */
char *bundle_dup_new_disk_name(const char *bundle);
/* The folder's name for a machine @name: "NAME.vitrine" without what file systems dislike; and what
 * a folder's name says the machine is called. */
char *bundle_dup_folder_name(const char *name);
char *bundle_dup_name_of_folder(const char *bundle);
/* The name that nobody in @root has yet: @name, or "@name 2" … */
char *bundle_dup_free_name(const char *root, const char *name);

/* Where a running machine's sockets are: $XDG_RUNTIME_DIR/vitrine/<uuid>, or under
 * /tmp/vitrine-<uid> where there is no such variable or it is too long for a socket's name. Made by
 * runtime_make_directory(), which also checks that nobody else can enter. */
char *runtime_dup_root(void);
char *runtime_dup_directory(const char *uuid);
char *runtime_dup_bus(const char *uuid);
bool runtime_make_directory(const char *uuid, GError **error);
