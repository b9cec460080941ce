/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* vitrinectl VERB [MACHINE] [options]: Vitrine for a shell. */

#include "base/place.h"
#include "cli/verbs.h"
#include <glib/gi18n.h>
#include <string.h>

static const Verb verbs[] = {
    { "create",
      "[ISO|DISK] [--name N] [--memory 2G] [--cpus 2] [--disk 20G|none] [--os ID]\n"
      "             [--firmware bios|uefi] [--cpu auto|kvm|software] [--start]",
      N_("make a machine, and print its name"), verb_create },
    { "list", "[--names] [--json]", N_("the machines and what they do"), verb_list },
    { "info", "MACHINE [--keys] [--json]", N_("everything about one"), verb_info },
    { "set", "MACHINE KEY=VALUE…", N_("change its definition"), verb_set },
    { "delete", "MACHINE [--force]", N_("move it to the Trash"), verb_delete },
    { "clone", "MACHINE [--name N]", N_("make a full copy, and print its name"), verb_clone },
    { "rename", "MACHINE NAME", N_("call it otherwise"), verb_rename },
    { "start", "MACHINE [--headless] [--disposable] [--paused]", N_("power it on"), verb_start },
    { "stop", "MACHINE [--force]", N_("press its power button; with --force, off now"), verb_stop },
    { "pause", "MACHINE", N_("freeze it"), verb_pause },
    { "resume", "MACHINE", N_("go on"), verb_resume },
    { "reset", "MACHINE", N_("press its reset button"), verb_reset },
    { "wait", "MACHINE --for STATE|text:REGEX [--timeout SECONDS] [--json]",
      N_("until it is off, running, …, or says something"), verb_wait },
    { "media", "MACHINE insert ISO|[--files] FILE… | eject [--drive N]",
      N_("change the disc; folders and files become one"), verb_eject_insert },
    { "screenshot", "MACHINE FILE.png|-", N_("its screen as a picture"), verb_screenshot },
    { "text", "MACHINE [--json]", N_("what its text screen shows"), verb_text },
    { "type", "MACHINE TEXT", N_("on its keyboard; \\n is Enter"), verb_type },
    { "sendkey", "MACHINE CHORD…", N_("such as ctrl+alt+delete, f2, up"), verb_sendkey },
    { "click", "MACHINE X Y [--button left|middle|right]", N_("with its mouse"), verb_click },
    { "console", "MACHINE", N_("its serial port; Ctrl-] leaves"), verb_console },
    { "log", "MACHINE [--path] [--json]", N_("what its engine said"), verb_log },
    { "stats", "MACHINE [--json]", N_("time, instructions, memory"), verb_stats },
    { "doctor", "[--json]", N_("why is it slow, what is missing"), verb_doctor },
};

static void print_help(FILE *out)
{
    fputs(_("Usage: vitrinectl VERB [MACHINE] [options]\n\n"
            "MACHINE is a name, the beginning of one, a UUID, or the path of a machine's "
            "folder.\n\n"),
          out);
    for (unsigned i = 0; i < G_N_ELEMENTS(verbs); i++)
        fprintf(out, "  %-11s%s\n             %s\n", verbs[i].name, _(verbs[i].summary),
                verbs[i].arguments);
    fputs(_("\nExit status: 0 done, 1 failed, 2 usage, 3 no such machine, 4 wrong state.\n"), out);
}

static const Verb *find_verb(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int run_verb(const Verb *verb, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf(_("Usage: vitrinectl %s %s\n"), verb->name, verb->arguments);
            puts(_(verb->summary));
            return EXIT_OK;
        }
    g_autoptr(GError) error = NULL;
    if (verb->run(argc, argv, &error)) {
        fflush(stdout);
        if (!ferror(stdout))
            return EXIT_OK;
        fprintf(stderr, "vitrinectl: %s\n", _("the output could not be written"));
        return EXIT_FAILED;
    }
    fprintf(stderr, "vitrinectl: %s\n", error->message);
    if (app_error_exit_code(error) == EXIT_USAGE)
        fprintf(stderr, _("Usage: vitrinectl %s %s\n"), verb->name, verb->arguments);
    return app_error_exit_code(error);
}

int main(int argc, char **argv)
{
    place_init_language();
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("vitrinectl " VITRINE_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--list-verbs") == 0) { /* for completion */
        for (unsigned i = 0; i < G_N_ELEMENTS(verbs); i++)
            puts(verbs[i].name);
        return EXIT_OK;
    }
    const Verb *verb = find_verb(argv[1]);
    if (!verb) {
        fprintf(stderr, _("vitrinectl: there is no verb “%s”; vitrinectl --help lists them\n"),
                argv[1]);
        return EXIT_USAGE;
    }
    /* A NULL ends argv, which verb_parse() relies on. */
    return run_verb(verb, argc - 1, argv + 1);
}
