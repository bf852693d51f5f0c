/*
 * Several channels that are ready at the same time, by one call that never waits.
 */
#include "channel/channel.h"

void
duet_send_many(duet_send_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        duet_send_job *job = &jobs[i];
        job->result = duet_send(job->channel, job->data, job->size, &job->sent, 0);
    }
}

void
duet_recv_many(duet_recv_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        duet_recv_job *job = &jobs[i];
        size_t least = job->size > 0;
        job->result = duet_recv(job->channel, job->buffer, job->size, &job->got, least, 0);
    }
}
