export { Format, Status } from "./abi";
export { Reader, Value } from "./value";
export { Kind, Operation } from "./operation";
export { Answer, Functions, Log, Message, Messages, Piece, Pieces, Self, StageArgument, Standing, State } from "./library";
export { offer } from "./guest";
