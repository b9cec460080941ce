/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What every front end shares: the library of machines and what each is doing now, starting and
 * finding engines, and connections to them. Included by vitrinectl, the app and the viewer.
 *
 * All functions here block (the library ones for a few milliseconds a running machine, start until
 * the engine is ready): call them from a GTask thread, or use the _async forms. Connections are
 * GDBus's own and work from any thread. */

#include "dbus-display.h"
#include "dbus-machine.h"
#include "model/bundle.h"
#include "model/stop-record.h"
#include <gio/gio.h>

/* How far a long piece of work is, 0 to 1. Called on the thread of the work, often enough for a
 * progress bar and seldom enough for a main loop (some ten times a second). */
typedef void (*ClientProgress)(double fraction, gpointer data);

#define CLIENT_PATH_MACHINE "/org/vitrine/Machine1"
#define CLIENT_PATH_VM "/org/qemu/Display1/VM"
#define CLIENT_PATH_CONSOLE "/org/qemu/Display1/Console_0"
#define CLIENT_PATH_LISTENER "/org/qemu/Display1/Listener"

typedef enum {
    CLIENT_OFF,
    CLIENT_RUNNING,
    CLIENT_PAUSED,
    CLIENT_PAUSED_PROBLEM,
    CLIENT_FAILED,
    CLIENT_CRASHED, /* the engine ended without saying so; its log is in the bundle */
    CLIENT_N_STATES
} ClientState;

/* "off", "running", … as State of org.vitrine.Machine1 says them, and "crashed". */
const char *client_state_name(ClientState state);
/* The same inside a sentence for people, in their language. */
const char *client_state_words(ClientState state);
/* -1 for an unknown word, or NULL. */
int client_state_parse(const char *name);
/* Whether an engine is there. */
bool client_state_is_live(ClientState state);

/* One machine, as it was when asked. */
typedef struct {
    char *bundle;           /* absolute */
    char *folder_name;      /* its folder's name without ".vitrine" */
    Definition *definition; /* NULL when it cannot be read: see damage */
    GError *damage;         /* why; names file, group and key */
    bool missing;           /* it was opened once and is not there now; damage says so */
    char *moved_from;       /* where a known bundle was when it was opened, or NULL */
    int64_t last_used;      /* Unix time; 0: never */
    ClientState state;
    char *problem;   /* words for the user, or empty */
    StopRecord stop; /* why it stopped last, or is stopped now */
} ClientMachine;

void client_machine_free(ClientMachine *machine);
/* The definition's name, or the folder's when there is none. */
const char *client_machine_name(const ClientMachine *machine);

/* The machines in the user's folders, all that run elsewhere, and those that were opened from
 * elsewhere (client/places.h); array of ClientMachine. Main thread: it reads the settings. */
GPtrArray *client_list_machines(void);
/* One bundle. Never NULL: a damaged one says so in it. */
ClientMachine *client_open_machine(const char *bundle);
/* @spec: a name, the only name that begins so, a UUID, or a bundle's path.
 * Errors: APP_ERROR_NOT_FOUND, APP_ERROR_INVALID when more than one fits. */
ClientMachine *client_find_machine(const char *spec, GError **error);
/* After the user has been told of a crash: the machine is plainly off from now on. */
void client_forget_crash(const char *bundle);

/* A connection to the engine of machine @uuid. APP_ERROR_WRONG_STATE when it does not run. */
GDBusConnection *client_connect(const char *uuid, GError **error);
/* client_connect() and the proxy of org.vitrine.Machine1 on it. */
VitrineDBusMachine1 *client_connect_machine(const char *uuid, GError **error);

typedef struct {
    bool paused;     /* power on, but do not run yet */
    bool disposable; /* what the guest writes is thrown away at the end */
} ClientStartOptions;

/* Starts the engine, which outlives us, and returns when it answers on its socket. @options may be
 * NULL. Errors are the engine's own words; APP_ERROR_WRONG_STATE when it runs already. */
bool client_start(const char *bundle, const ClientStartOptions *options, GError **error);
void client_start_async(const char *bundle, const ClientStartOptions *options,
                        GCancellable *cancellable, GAsyncReadyCallback callback, gpointer opaque);
bool client_start_finish(GAsyncResult *result, GError **error);

/* A new machine from @source, an ISO or a disk image, or NULL for an empty one. Zero and NULL mean
 * defaults. */
typedef struct {
    const char *source;
    const char *name; /* NULL: from the source's name, made unique */
    const char *os;   /* libosinfo short id */
    const char *root; /* folder for the bundle; NULL: the user's, read on the main thread */
    uint64_t memory_bytes;
    unsigned n_cpus;
    uint64_t disk_bytes;
    bool no_disk;
    const DefinitionFirmware *firmware; /* NULL: what suits the system and the source */
    DefinitionCpu cpu;
} ClientCreateOptions;

/* Whether @definition could run here and now: words that the next start, or the host's memory,
 * would have too. @where begins them. */
bool client_check_definition(const Definition *definition, const char *where, GError **error);
/* Returns the new bundle's path. @out_warning (may be NULL): something the user should know, or
 * NULL; owned. On failure nothing is left behind. */
char *client_create(const ClientCreateOptions *options, char **out_warning, GError **error);

/* A full copy of the machine, disks and all, with a UUID and addresses of its own; blocks are
 * shared where the file system can. @name NULL: "NAME copy"; @root NULL: beside the original.
 * Returns the new bundle's path; on failure, also by @cancellable, nothing is left behind.
 * APP_ERROR_WRONG_STATE while the machine runs, APP_ERROR_IN_USE when the name is taken. */
char *client_clone(const char *bundle, const char *name, const char *root, ClientProgress progress,
                   gpointer data, GCancellable *cancellable, GError **error);
/* Gives the machine another name, and its folder too while it is off. Returns the bundle's path
 * afterwards. APP_ERROR_IN_USE when another machine's folder has that name. */
char *client_rename(const char *bundle, const char *name, GError **error);

/* Moves the bundle to the Trash. APP_ERROR_WRONG_STATE while it runs; G_IO_ERROR_NOT_SUPPORTED
 * where there is no Trash: client_delete_for_good() is then left. @out_trashed (may be NULL): where
 * it is now, for client_restore(), or NULL when that cannot be told. */
bool client_trash(const char *bundle, char **out_trashed, GError **error);
/* Back from the Trash to where it was. APP_ERROR_IN_USE when something else is there by now. */
bool client_restore(const char *trashed, const char *bundle, GError **error);
bool client_delete_for_good(const char *bundle, GError **error);

/* Keeps an engine from starting on @bundle until the descriptor is closed. -1 and
 * APP_ERROR_WRONG_STATE when one runs. */
int client_lock_off(const char *bundle, GError **error);

/* Path of vitrine-engine: $VITRINE_ENGINE, the build tree we run from, or where it was installed.
 */
char *client_dup_engine_path(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ClientMachine, client_machine_free)
