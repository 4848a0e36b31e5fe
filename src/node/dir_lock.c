/* flock(2) on the node directory. */
#include "node/dir_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

bool dir_lock_take(const char *dir, int *fd, struct error *err)
{
    int opened = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0)
        return error_set(err, errno == ENOENT ? "file/missing" : "file/io", dir,
                         "cannot open the node directory '%s': %s", dir, strerror(errno));
    if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
        int saved = errno;
        close(opened);
        if (saved == EWOULDBLOCK)
            return error_set(err, "store/locked", dir,
                             "another merod is running with the node directory '%s'", dir);
        return error_set(err, "file/io", dir, "cannot lock the node directory '%s': %s", dir,
                         strerror(saved));
    }
    *fd = opened;
    return true;
}

void dir_lock_release(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
