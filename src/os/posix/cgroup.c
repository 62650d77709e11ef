/* SPDX-License-Identifier: MIT
 *
 * cgroup.c - Linux only: the control groups that this process is in.
 *
 *     /proc/self/cgroup     0::/a/b               version 2: path below the mount's root
 *                           4:memory:/a/b         version 1: a hierarchy for some controllers
 *     /proc/self/mountinfo  .. .. .. ROOT MOUNTED-AT options [tags] - cgroup2 cgroup2 rw
 *
 * In a container, ROOT is often what the path begins with, and only what comes after it can be seen.
 */
#include "posix.h"

#if MP_LINUX
#include <stdio.h>
#include <string.h>

enum {
    ROOM = 512
};

struct mount {
    char root[ROOM / 2], at[ROOM / 2];
};

/* Whether a word stands in a list with commas. */
static bool listed(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *next = list; (next = strstr(next, word)) != NULL; next += length)
        if ((next == list || next[-1] == ',') && (next[length] == ',' || next[length] == '\0')) return true;
    return false;
}

/* The mount of version 2, or that of a controller of version 1. */
static bool find_mount(const char *controller, bool second, struct mount *mount)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (file == NULL) return false;
    char line[4096];
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        char type[32], options[1024];
        const char *rest = strstr(line, " - cgroup");
        if (rest == NULL || sscanf(rest, " - %31s %*s %1023s", type, options) != 2) continue;
        if (strcmp(type, second ? "cgroup2" : "cgroup") != 0 || (!second && !listed(options, controller))) continue;
        found = sscanf(line, "%*s %*s %*s %255s %255s", mount->root, mount->at) == 2;
    }
    fclose(file);
    return found;
}

static void walk_up(const struct mount *mount, const char *path, bool second, mp_os__cgroup_visit *visit, void *context)
{
    size_t root = strlen(mount->root), at = strlen(mount->at);
    if (root == 1) root = 0;
    if (strncmp(path, mount->root, root) == 0 && (path[root] == '/' || path[root] == '\0')) path += root;
    if (strncmp(path, "/..", 3) == 0) path = ""; /* outside of what this cgroup namespace shows */

    char directory[ROOM * 2];
    snprintf(directory, sizeof directory, "%s%s", mount->at, strcmp(path, "/") == 0 ? "" : path);
    for (;;) {
        visit(directory, second, context);
        char *last = strrchr(directory, '/');
        if (last == NULL || last < directory + at) break;
        *last = '\0';
    }
}

void mp_os__cgroup_walk(const char *controller, mp_os__cgroup_visit *visit, void *context)
{
    char text[4096];
    if (!mp_os__file_read("/proc/self/cgroup", text, sizeof text)) return;
    char *next = text;
    while (next != NULL && *next != '\0') {
        char *line = next;
        next = strchr(line, '\n');
        if (next != NULL) *next++ = '\0';
        char *list = strchr(line, ':'), *path = list != NULL ? strchr(list + 1, ':') : NULL;
        if (path == NULL) continue;
        list++;
        *path++ = '\0';
        bool second = *list == '\0';
        struct mount mount;
        if ((second || listed(list, controller)) && find_mount(controller, second, &mount))
            walk_up(&mount, path, second, visit, context);
    }
}
#else
typedef int mp_os__no_cgroups; /* a file must not be empty */
#endif
