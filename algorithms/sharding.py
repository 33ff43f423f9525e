"""Weights that are spread over the ranks (FSDP2), and work of which every rank does a share."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from turnwise.algorithms.world import World

Item = TypeVar("Item")
Found = TypeVar("Found")


def spreader(world: World, device: torch.device, offload: bool) -> Callable[[Any], Any]:
    """What spreads a module over the ranks, see `shard`, and returns it; None stays None.

    Raises ValueError where there is nothing to offload from.
    """
    if offload and device.type == "cpu":
        raise ValueError(
            "algorithm.optimisation.offload keeps weights in main memory while a GPU computes: this run computes on "
            "the CPU, so leave it out"
        )
    mesh = mesh_of(world, device)
    return lambda module: None if module is None else shard(module, mesh, offload=offload)


def mesh_of(world: World, device: torch.device) -> Any:
    """All ranks in a row, as torch.distributed calls them; one process alone (that offloads) is a row of one."""
    from torch.distributed.device_mesh import init_device_mesh

    if not torch.distributed.is_initialized():
        with tempfile.NamedTemporaryFile() as meeting:
            torch.distributed.init_process_group(
                "cpu:gloo,cuda:nccl", init_method=f"file://{meeting.name}", rank=0, world_size=1
            )
    return init_device_mesh(device.type, (world.size,))


def shard(module: nn.Module, mesh: Any, *, offload: bool = False) -> nn.Module:
    """Spread a module's weights over the ranks of a mesh, in place. A decoder layer is whole only while it computes.

    From then on it computes in its `forward` and in `policy.within`. Gradients add up over the ranks. Inside a block
    that computes in bfloat16, weights travel in it; they stay, and their gradients add up, in float32.
    offload: weights, gradients and whatever follows them (an optimiser) lie in main memory.
    """
    from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, OffloadPolicy, fully_shard
    from torch.distributed.fsdp import register_fsdp_forward_method as also_forward

    kind = mesh.device_type
    computed = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    for part in (*decoder_layers(module), module):
        fully_shard(
            part,
            mesh=mesh,
            reshard_after_forward=True,  # the outermost one too: a pass without gradient must leave nothing behind
            mp_policy=MixedPrecisionPolicy(param_dtype=computed, reduce_dtype=torch.float32),
            offload_policy=CPUOffloadPolicy() if offload else OffloadPolicy(),
        )
        part.set_gradient_divide_factor(1.0)  # type: ignore[operator]  # `fully_shard` gave it more methods
        part.set_force_sum_reduction_for_comms(True)  # type: ignore[operator]  # gloo knows no other one
    # It warns of changes in place to what a forward pass returns; nobody here makes any.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    module.within = _call  # type: ignore[assignment]  # a method, see `policy.within`
    also_forward(module, "within")
    return module


def _call(compute: Callable[..., Found], *inputs: Any) -> Found:
    return compute(*inputs)


@torch.no_grad()
def take_over(model: nn.Module, world: World) -> None:
    """Give every rank the first one's weights: warm starts on several GPUs need not end alike to the bit."""
    if world.size > 1:
        with world.waiting("the first rank's weights"):
            for tensor in model.state_dict().values():
                torch.distributed.broadcast(tensor, 0)


def decoder_layers(model: nn.Module) -> list[nn.Module]:
    """The blocks of a language model, in order; none where it has no list of them."""
    return list(next((part for part in model.modules() if isinstance(part, nn.ModuleList)), ()))


def whole(tensor: Tensor) -> Tensor:
    """The full tensor, gathered from all ranks where it is spread over them (which all of them have to ask for)."""
    gather = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else gather()


def local(tensors: Iterable[Tensor]) -> list[Tensor]:
    """This rank's parts of tensors, which they share their memory with."""
    return [tensor.to_local() if hasattr(tensor, "to_local") else tensor for tensor in tensors]


def laid_out(found: Any, like: Any) -> Any:
    """Nested dicts with their whole tensors copied into those of `like`, where these are spread over the ranks."""
    if isinstance(found, dict) and isinstance(like, dict):
        return {key: laid_out(value, like.get(key)) for key, value in found.items()}
    if not isinstance(found, Tensor) or hasattr(found, "full_tensor") or not hasattr(like, "full_tensor"):
        return found
    from torch.distributed.tensor import distribute_tensor

    mesh = like.device_mesh
    plain = found.dequantize() if hasattr(found, "codes") else found  # moments of 8 bits are quantised part by part
    spread_out = distribute_tensor(plain.to(mesh.device_type), mesh, like.placements, src_data_rank=None)
    like.to_local().copy_(spread_out.to_local())
    return like


def not_finite(model: nn.Module, world: World) -> list[str]:
    """Names of the weights of which any rank's part holds a number that is not finite."""
    names, weights = zip(*model.named_parameters(), strict=True)
    mine = {name for name, part in zip(names, local(weights), strict=True) if not bool(part.isfinite().all())}
    found = set().union(*world.gather(mine, "which weights are broken"))
    return [name for name in names if name in found]


def clip(parameters: Sequence[Tensor], longest: float) -> float:
    """Cut the parameters' gradient, over all ranks, to this length; returns the length before."""
    return float(whole(nn.utils.clip_grad_norm_(parameters, longest)))


def spread(items: Sequence[Item], compute: Callable[[Item], Found], world: World, what: str) -> list[Found]:
    """`compute` of every item, in order, on all ranks, each of which does a share.

    Ranks go through their shares side by side, since what they compute with may be spread over them: whoever has fewer
    items takes the first one again. what: for the error message. What is found travels: keep it small.
    """
    if world.size == 1:
        return [compute(item) for item in items]
    mine = {}
    for start in range(0, len(items), world.size):
        index = start + world.rank
        found = compute(items[index if index < len(items) else 0])
        if index < len(items):
            mine[index] = torch.utils._pytree.tree_map_only(Tensor, lambda tensor: tensor.cpu(), found)
    shares = world.gather(mine, what)
    return [shares[index % world.size][index] for index in range(len(items))]
