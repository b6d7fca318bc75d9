"""Products of a training step in exact fractions, without torch, numpy or the product's code.

`python tests/encodings/golden/make_blocks.py` writes blocks.json beside itself.
"""

import json
import random
from fractions import Fraction
from pathlib import Path

Matrix = list[list[Fraction]]

MANTISSA_BITS = 4
#: Blocks by operand: of activations, of weights, of gradients; a side of 0 is all of it.
TILES = {
    "sample": ((1, 0), (2, 3), (1, 0)),
    "tile": ((2, 3), (2, 3), (2, 3)),
    "reduction": ((1, 3), (1, 3), (1, 3)),
}


def rounded(block: list[Fraction]) -> list[Fraction]:
    largest = max(map(abs, block))
    if largest == 0:
        return block
    exponent = 0
    while largest >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while largest < Fraction(2) ** exponent:
        exponent -= 1
    step = Fraction(2) ** (exponent - MANTISSA_BITS + 2)
    limit = 2 ** (MANTISSA_BITS - 1) - 1
    return [min(max(round(value / step), -limit), limit) * step for value in block]


def in_tiles(matrix: Matrix, tile: tuple[int, int]) -> Matrix:
    height, width = tile[0] or len(matrix), tile[1] or len(matrix[0])
    result = [row[:] for row in matrix]
    for top in range(0, len(matrix), height):
        for left in range(0, len(matrix[0]), width):
            rows = range(top, min(top + height, len(matrix)))
            columns = range(left, min(left + width, len(matrix[0])))
            places = [(i, j) for i in rows for j in columns]
            for (i, j), value in zip(
                places, rounded([matrix[i][j] for i, j in places]), strict=True
            ):
                result[i][j] = value
    return result


def transposed(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def product(left: Matrix, right: Matrix) -> Matrix:
    """Return left (n, k) times right (m, k) transposed."""
    return [[sum(a * b for a, b in zip(x, y, strict=True)) for y in right] for x in left]  # type: ignore[misc]


def step(blocks: str, x: Matrix, w: Matrix, g: Matrix) -> dict[str, Matrix]:
    """Return y = x w', grad_x = g w and grad_w = g' x with operands rounded in their blocks."""
    of_x, of_w, of_g = TILES[blocks]
    if blocks == "reduction":  # cut along what each product reduces
        return {
            "y": product(in_tiles(x, of_x), in_tiles(w, of_w)),
            "grad_x": product(in_tiles(g, of_g), in_tiles(transposed(w), of_w)),
            "grad_w": product(in_tiles(transposed(g), of_g), in_tiles(transposed(x), of_x)),
        }
    x, w, g = in_tiles(x, of_x), in_tiles(w, of_w), in_tiles(g, of_g)
    return {
        "y": product(x, w),
        "grad_x": product(g, transposed(w)),
        "grad_w": product(transposed(g), transposed(x)),
    }


def matrix(source: random.Random, rows: int, columns: int) -> Matrix:
    """Return multiples of 1/64 in rows and columns of different scale."""
    return [
        [
            Fraction(source.randint(-127, 127), 64) * 2 ** ((i * 2 + j // 3) % 4)
            for j in range(columns)
        ]
        for i in range(rows)
    ]


def main() -> None:
    source = random.Random(0)
    inputs = {name: matrix(source, *shape) for name, shape in
              {"x": (5, 8), "w": (4, 8), "g": (5, 4)}.items()}  # fmt: skip
    results = {blocks: step(blocks, *inputs.values()) for blocks in TILES}
    numbers = {
        "inputs": floats(inputs),
        "results": {blocks: floats(result) for blocks, result in results.items()},
    }
    text = json.dumps(numbers, indent=1)
    Path(__file__).with_name("blocks.json").write_text(text + "\n")


def floats(matrices: dict[str, Matrix]) -> dict[str, list[str]]:
    """Return the matrices as floats, which they are exactly: a text for each row."""
    result = {}
    for name, rows in matrices.items():
        if any(Fraction(float(value)) != value for row in rows for value in row):
            raise ValueError(f"{name} is not exact in floating point; take smaller inputs")
        result[name] = [" ".join(str(float(value)) for value in row) for row in rows]
    return result


if __name__ == "__main__":
    main()
