/* SPDX-License-Identifier: MIT
 *
 * files.c - the portable part of files.h.
 */
#include "files.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

const char *path_in(char path[PATH_SIZE], const char *folder, const char *name)
{
    assert_in_range(snprintf(path, PATH_SIZE, "%s/%s", folder, name), 1, PATH_SIZE - 1);
    return path;
}

const char *path_built(char path[PATH_SIZE], const char *name)
{
    return path_in(path, support_folder(), name);
}

void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

void file_hide(const char *path)
{
    char hidden[PATH_SIZE];
    for (int i = 0; i < 100; i++) {
        assert_in_range(snprintf(hidden, sizeof hidden, "%s.hidden-%d", path, i), 1, PATH_SIZE - 1);
        FILE *file = fopen(hidden, "rb");
        if (file) {
            fclose(file);
            continue;
        }
        assert_int_equal(rename(path, hidden), 0);
        return;
    }
    fail_msg("%s has been hidden too often", path);
}

void file_replace(const char *path, const char *by)
{
    file_hide(path);
    file_copy(by, path);
}
