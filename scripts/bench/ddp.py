"""
Room: scripts (level 8). The peer of `npm run bench -- peers`: PyTorch's DistributedDataParallel over gloo on loopback. One
process of several; the one of rank 0 prints a line of JSON: the seconds of each step.

    ddp.py RANK WORLD RENDEZVOUS_FILE IMAGES LABELS BATCH STEPS

The work of Lockstep's side: rows of the same IDX files, kept as bytes in memory, gathered by a permutation and divided by 255; the
same layers, loss, clipping and optimizer; one thread of arithmetic a process. It is spared two things: statistics of batch
normalisation are those of a process's own rows (DDP has no synchronised normalisation on CPUs), and nobody asks for the loss.

Plain DDP, made as fast as its options allow. What was tried with PyTorch 1.13 at batch 256 and 1024, and taken when faster:
  taken      broadcast_buffers=False, foreach optimizer, foreach clipping, ELU in place, index_select, set_to_none
  not faster gradient_as_bucket_view, static_graph, smaller buckets, torch.jit.script, set_flush_denormal
"""

import json
import os
import sys
import time

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", GLOO_SOCKET_IFNAME="lo")

import numpy as np
import torch
import torch.distributed as dist
from torch import nn


def idx(path, header):
    return torch.from_numpy(np.fromfile(path, dtype=np.uint8)[header:])


def dense(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(layer.weight)
    return layer


def clip(parameters, limit):
    """What clip_grad_norm_ does, over all tensors at once: in PyTorch 1.13 it goes tensor by tensor."""
    gradients = [parameter.grad for parameter in parameters]
    norm = torch.stack(torch._foreach_norm(gradients)).norm().item()
    if norm > limit:
        torch._foreach_mul_(gradients, limit / norm)


def main():
    rank, world, rendezvous, images, labels, batch, steps = sys.argv[1:]
    rank, world, batch, steps = int(rank), int(world), int(batch), int(steps)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=world)
    torch.manual_seed(42)

    x = idx(images, 16).reshape(-1, 28, 28)
    y = idx(labels, 8).long()
    order = torch.randperm(len(x))
    network = nn.Sequential(
        nn.Flatten(),
        nn.BatchNorm1d(784),
        dense(784, 300),
        nn.ELU(inplace=True),
        nn.BatchNorm1d(300),
        dense(300, 100),
        nn.ELU(inplace=True),
        nn.BatchNorm1d(100),
        dense(100, 10),
    )
    model = nn.parallel.DistributedDataParallel(network, broadcast_buffers=False)
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9, foreach=True)
    loss = nn.CrossEntropyLoss()
    own = batch // world

    seconds = []
    for step in range(steps):
        began = time.perf_counter()
        first = step * batch % (len(x) - batch + 1) + rank * own
        rows = order[first : first + own]
        optimizer.zero_grad(set_to_none=True)
        loss(model(x.index_select(0, rows).float().div_(255)), y.index_select(0, rows)).backward()
        clip(parameters, 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - began)
    if rank == 0:
        print(json.dumps(seconds))


main()
