/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/application.h"
#include <locale.h>

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    g_autoptr(VitrineApplication) app = vitrine_application_new();
    return g_application_run(G_APPLICATION(app), argc, argv);
}
